"""What is promised about xarray's datasets in a prompt."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray

from h2o_magic.errors import ConfigurationError
from h2o_magic.prompts.values import describe


@pytest.fixture
def climate() -> Any:
    kelvin = xarray.Variable(
        ("time", "lat"),
        np.arange(12.0).reshape(4, 3) + 270,
        {"units": "K", "long_name": "Temperature"},
    )
    kelvin[0, 0] = np.nan
    return xarray.Dataset(
        {"t2m": kelvin},
        {
            "time": pd.date_range("2024", periods=4).astype("datetime64[ns]"),
            "lat": ("lat", [10.0, 20.0, 30.0], {"units": "degrees_north"}),
        },
        {"title": "A demo", "history": "x" * 500},
    )


def text(value: object, tokens: int = 1_000) -> str:
    return describe(value, "ds").text(tokens)


def test_a_dataset_is_its_dimensions_variables_coordinates_and_attributes(
    climate: Any,
) -> None:
    assert text(climate).split("\n") == [
        "xarray Dataset, dimensions: time 4, lat 3",
        "data variables:",
        (
            "- t2m (time, lat) float64; min 271.0, mean 276.0, max 281.0, 1 NaN; "
            "units: K; long_name: Temperature"
        ),
        "coordinates:",
        "- time (time) datetime64[ns]; 2024-01-01 to 2024-01-04, steps 1 day (3)",
        "- lat (lat) float64; min 10.0, mean 20.0, max 30.0; units: degrees_north",
        "attribute title: A demo",
        f"attribute history: {'x' * 80}…",
    ]


def test_an_array_of_xarray_has_its_units(climate: Any) -> None:
    assert text(climate.t2m).split("\n")[0] == (
        "xarray DataArray, dimensions: time 4, lat 3; t2m (time, lat) float64; "
        "min 271.0, mean 276.0, max 281.0, 1 NaN; units: K; long_name: Temperature"
    )
    assert "no name () int64; 5" in text(xarray.DataArray(5))


def test_what_is_not_in_memory_is_not_read(climate: Any) -> None:
    chunked = climate.chunk()
    assert "- t2m (time, lat) float64; not in memory; units: K" in text(chunked)
    assert chunked.t2m.chunks is not None


def test_with_fewer_tokens_the_last_lines_are_left_out(climate: Any) -> None:
    assert text(climate, 40).split("\n") == [
        "xarray Dataset, dimensions: time 4, lat 3",
        "data variables:",
        "… 6 more lines left out",
    ]


def test_a_secret_among_the_attributes_is_refused(climate: Any) -> None:
    climate.attrs["api_key"] = "hunter2"
    with pytest.raises(ConfigurationError, match="its 'api_key' looks like a secret"):
        text(climate)
