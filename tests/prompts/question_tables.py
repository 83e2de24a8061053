"""Ten tables of data work, made in code; what is in them is asked of the frames."""

from __future__ import annotations

from functools import cache
from typing import Any

import duckdb
import geopandas
import numpy as np
import pandas as pd
import polars as pl
from shapely.geometry import Point, Polygon

#: The table of the README and of docs/data.md.
DF = pd.DataFrame({"city": ["Oslo", "Lima"], "rain_mm": [763, None]})
#: The table of the notebooks.
CITIES = pd.DataFrame(
    {
        "city": ["Rome", "Cairo", "Paris", "Sydney"],
        "country": ["Italy", "Egypt", "France", "Australia"],
        "sight": ["Colosseum", "Pyramids", "Louvre", "Opera House"],
    }
)


@cache
def orders() -> Any:
    """Five hundred orders: gaps, two outliers, rows that come twice."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "order_id": range(1000, 1500),
            "customer": rng.integers(1, 41, 500),
            "price": rng.normal(50, 8, 500).round(2),
            "discount": rng.choice([0.0, 0.1, 0.25], 500),
            "status": rng.choice(["paid", "open", "returned"], 500, p=[0.7, 0.2, 0.1]),
            "paid_at": pd.date_range("2024-01-01", periods=500, freq="7h"),
        }
    )
    frame.loc[::9, "price"] = np.nan
    frame.loc[3:40, "discount"] = np.nan
    frame.loc[[4, 77], "price"] = [9_999.0, -500.0]
    return pd.concat([frame, frame.iloc[:3]], ignore_index=True)


@cache
def customers() -> Any:
    """Forty customers, the key of the orders; names with spaces and cases."""
    return pd.DataFrame(
        {
            "customer": range(1, 41),
            "country": (["Peru", "peru ", "PERU", "Norway", "Chad"] * 8),
            "vip": [True, False, False, None] * 10,
            "score": [f"{n},5 %" for n in range(38)] + ["n/a", "n/a"],
        }
    )


@cache
def sensor() -> Any:
    """Half a year of days, with a gap of six days and a tz."""
    index = pd.date_range("2024-01-01", periods=180, freq="D", tz="UTC", name="day")
    values = np.sin(np.arange(180) / 10) * 5 + 20
    frame = pd.DataFrame({"celsius": values, "status": "ok"}, index=index)
    return frame.drop(index[60:65])


@cache
def signups() -> Any:
    """Dates as text in three forms, numbers as text, mixed types."""
    dates = ["2024-03-05"] * 30 + ["05/03/2024"] * 8 + ["Mar 5, 2024"] * 2
    return pd.DataFrame(
        {
            "joined": [*dates, "unknown"],
            "amount": ["1,250.50", "13", "7.25", "-3"] * 10 + ["free"],
            "code": [1, "1", 2, "2"] * 10 + [None],
        }
    )


@cache
def survey() -> Any:
    """Answers as ordered categories, one column without a second value."""
    size = pd.Categorical(
        ["low", "high", "mid", "low"] * 25, ["low", "mid", "high"], ordered=True
    )
    return pd.DataFrame(
        {
            "satisfaction": size,
            "channel": ["web"] * 90 + ["shop"] * 10,
            "year": 2024,
            "tags": [["a"], ["a", "b"], [], None] * 25,
        }
    )


@cache
def sales() -> Any:
    """Sales by region and quarter: levels on both sides."""
    index = pd.MultiIndex.from_product(
        [["north", "south", "west"], range(1, 5)], names=["region", "quarter"]
    )
    columns = pd.MultiIndex.from_product([["units", "euro"], ["web", "shop"]])
    values = np.arange(48).reshape(12, 4)
    return pd.DataFrame(values, index=index, columns=columns)


@cache
def genes() -> Any:
    """Three thousand columns."""
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(
        rng.normal(size=(60, 2998)), columns=[f"g{n}" for n in range(2998)]
    )
    frame.loc[5:11, "g17"] = np.nan
    frame.loc[5:6, "g2400"] = np.nan
    frame["g9"] = 1.5
    frame["sample"] = [f"s{n}" for n in range(60)]
    frame["outcome"] = ["ill", "well", "well"] * 20
    return frame


@cache
def places() -> Any:
    """Points and polygons, in metres."""
    points = [Point(1000 * n, 500 * n) for n in range(18)]
    areas = [Polygon([(0, 0), (0, 10), (10, 10)])] * 2
    return geopandas.GeoDataFrame(
        {"name": [f"place {n}" for n in range(20)]},
        geometry=[*points, *areas],
        crs="EPSG:25832",
    )


@cache
def trips() -> Any:
    """Trips, as polars has them."""
    rng = np.random.default_rng(3)
    return pl.DataFrame(
        {
            "trip": range(300),
            "km": [*rng.exponential(12, 298).round(1), 4_000.0, float("nan")],
            "driver": [None, *rng.choice(["Ana", "Bo", "Cy"], 299)],
            "start": pd.date_range("2023-05-01", periods=300, freq="h").to_list(),
        }
    )


@cache
def ledger() -> Any:
    """A relation of DuckDB, which is a query of 300,000 rows."""
    return duckdb.sql(
        "select i as entry, 'A' || (i % 4) as account, (i * 7 % 100) / 2.0 as amount, "
        "case when i % 10 > 0 then date '2024-01-01' + i::int % 30 end as day "
        "from range(300000) t(i)"
    )


@cache
def keys() -> Any:
    """Words that no tokenizer knows: hashes, codes, names, addresses."""
    rng = np.random.default_rng(4)
    letters = np.array(
        list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
    )
    names = ["Krzysztof Wójcik", "Ødegård", "東京", "Nguyễn", "🎉", "Schäfer & Söhne"]
    return pd.DataFrame(
        {
            "sha": [rng.bytes(16).hex() for _ in range(60)],
            "code": ["".join(rng.choice(letters, 12)) for _ in range(60)],
            "name": names * 10,
            "mail": [f"user{n}@example.org" for n in range(60)],
        }
    )
