# SPDX-License-Identifier: MIT
"""A run or a score as one HTML file: pictures, sections, curves, error maps, tables. Needs the extra ``report``.

``camera`` (pinhole) → ``rasterise`` (z-buffer) → ``pictures`` (views of a mesh), ``viewpoints`` (where to look from),
``sections`` (arrays), ``plots`` (charts of them), ``tables``, ``build`` (a run), ``page`` (HTML).
Of a score: ``error_maps``, ``worst`` (places), ``score_scene`` and ``score`` (all of it).
"""
