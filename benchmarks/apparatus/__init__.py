"""What the parts measure with: servers, kernels, browsers, links."""
