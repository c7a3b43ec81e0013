# SPDX-License-Identifier: MIT
"""A run, or the score of a mesh, as one HTML file with pictures, charts and tables. Needs the extra ``report``.

Input: a fitted field and its mesh, or two meshes. Output: the text of a page. Start reading at `build`.
``build`` makes the page of a run and ``score`` that of an evaluation; ``plots`` draws charts, ``error_maps`` and
``worst`` show where a mesh is wrong, ``tables`` and ``page`` make the HTML.
"""
