# SPDX-License-Identifier: MIT
"""A run as one HTML file: pictures, sections of the field, curves of the training, tables. Needs the extra ``report``.

``camera`` (pinhole) → ``rasterise`` (z-buffer) → ``pictures`` (views of a mesh), ``viewpoints`` (where to look from),
``sections`` (arrays), ``plots`` (charts of them), ``tables``, ``build`` (all of it), ``page`` (HTML).
"""
