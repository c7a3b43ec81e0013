# SPDX-License-Identifier: MIT
"""Writes a run or an evaluation as a single HTML file with pictures, charts and tables. Needs the extra ``report``.

In: a run or an evaluation. Out: HTML text. `build` makes the page of a run from ``plots`` and ``tables``; `score` makes
the page of an evaluation from ``score_scene``, ``error_maps`` and ``worst``; ``page`` renders both as HTML.
"""
