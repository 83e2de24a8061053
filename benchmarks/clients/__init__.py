"""Other libraries' own calls, each script run where its library is installed."""
