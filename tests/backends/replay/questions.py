"""Fifty questions as notebooks ask them, some of them much alike."""

from __future__ import annotations

_ABOUT = """\
Describe the table {df} in three sentences.
Which columns of {df} have missing values?
What is the mean of the column price, by region?
What is the median of the column price, by region?
What is the mean of the column weight, by region?
Plot the sales of each month as a bar chart.
Plot the sales of each month as a line chart.
Plot the sales of each week as a line chart.
Write a function that reads a CSV file and returns its number of rows.
Write a function that reads a JSON file and returns its keys.
Why does this cell raise a KeyError?
Why does this cell raise a TypeError?
Explain the traceback above.
Explain the traceback above to a beginner.
How do I join two tables on two columns in pandas?
How do I join two tables on two columns in polars?
How do I pivot a table in pandas?
Translate the following text into German.
Translate the following text into French.
Translate the following text into Spanish, and keep the names.
Summarise the article in one sentence.
Summarise the article in five bullet points.
Who wrote the article, and when?
List the people that are named in the text, as JSON.
List the places that are named in the text, as JSON.
List the organisations that are named in the text, as a table.
What does the regular expression ^[a-z]+$ match?
What does the regular expression ^[0-9]+$ match?
Is the difference between the two groups significant?
Which test should I use to compare three groups?
Which test should I use to compare two proportions?
Fit a linear model of price on weight and age.
Fit a logistic model of churn on age and income.
What are the assumptions of a linear model?
How large must a sample be to see a difference of 2 %?
Turn the function below into a class.
Add type hints to the function below.
Add a docstring to the function below.
Write a test for the function below.
Find the mistake in the SQL query.
Make the SQL query faster.
What is the capital of France?
What is the capital of Portugal?
What is the population of Portugal?
Hello
Thank you!
And in euros?
And by week?
Why?
And what was it in 2024?
What is in the picture?
What does the axis of the chart show?
"""

QUESTIONS = _ABOUT.splitlines()
