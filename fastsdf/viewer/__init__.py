# SPDX-License-Identifier: MIT
"""Shows a run in a browser: scan, mesh, sections and levels of the field, or a training. Needs the extra ``view``.

In: a fitted field or a training session. Out: a web server. `panel` holds the controls of a finished run and `growing`
shows a training. Both draw with ``stage`` (objects of the browser's scene), which ``server`` sends to browsers through
viser. Start reading at `panel`.
"""
