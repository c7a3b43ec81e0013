# SPDX-License-Identifier: MIT
"""A run in a browser: scan, mesh, sections of the field, levels; the surface as it grows. Needs the extra ``view``.

``server`` (viser), ``jobs`` (work of one thread), ``content`` (what is shown), ``coloring``, ``glb`` (a mesh for the
browser), ``planes`` (sections as pictures), ``places`` (cameras), ``stage`` (the things in the scene), ``panel``
(controls), ``growing`` (training).
"""
