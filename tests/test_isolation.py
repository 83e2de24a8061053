"""What tests must not see of the machine that they run on."""

import os

from huggingface_hub import constants

from h2o_magic.config.models import MODELS
from h2o_magic.weights.files import best_real, find_weights


def test_weights_that_a_developer_has_pulled_answer_in_no_test() -> None:
    assert os.environ["HF_HUB_CACHE"] == constants.HF_HUB_CACHE
    assert best_real() is None
    found = {name: find_weights(name) for name in MODELS}
    assert all(weights is not None and weights.demo for weights in found.values())
