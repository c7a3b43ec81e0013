# SPDX-License-Identifier: MIT
"""A run in a browser: scan, mesh, sections of the field, levels, and a fit while it trains. Needs the extra ``view``.

Input: a fitted field and its mesh, or a running fit. Output: a web page. Start reading at `panel`.
``server`` opens viser, ``content`` computes what is shown, ``stage`` draws it, ``panel`` holds the controls, and
``growing`` follows a fit.
"""
