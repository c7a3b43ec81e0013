# SPDX-License-Identifier: MIT
"""Recognises the format of a file by its first bytes, to detect files with a wrong suffix."""

from pathlib import Path

from fastsdf.errors import ScanError

_HEAD_BYTES = 512  # read from the file; enough for a byte order mark, white space and the longest signature
# Advice for formats of vendors that have no open reader, for messages.
_EXPORT = "export the scan as PLY, E57 or LAS and name that file"
_FOREIGN = (  # files that are never scans: first bytes, kind of file, advice
    (b"%PDF", "a PDF document", _EXPORT),
    (b"\x89PNG", "a PNG picture", _EXPORT),
    (b"\xff\xd8\xff", "a JPEG picture", _EXPORT),
    (b"II*\x00", "a TIFF picture", _EXPORT),
    (b"MM\x00*", "a TIFF picture", _EXPORT),
    (b"\x1f\x8b", "a gzip archive", "unpack it and name the file in it"),
    (b"7z\xbc\xaf", "a 7z archive", "unpack it and name the file in it"),
    (b"Rar!", "a RAR archive", "unpack it and name the file in it"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself", "run 'git lfs pull'"),
    (b"<!doctype html", "a web page", "the download failed; download it again"),
    (b"<html", "a web page", "the download failed; download it again"),
)
_SCANS = (  # scans and meshes: first bytes, allowed suffixes, format
    (b"ASTM-E57", (".e57",), "E57"),
    (b"LASF", (".las", ".laz"), "LAS"),
    (b"ply\n", (".ply",), "PLY"),
    (b"ply\r", (".ply",), "PLY"),
    (b"\x93NUMPY", (".npy",), "NPY"),
    (b"# .PCD", (".pcd",), "PCD"),
    (b"glTF", (".glb",), "GLB"),
)
_ZIP, _ZIP_SUFFIXES = b"PK\x03\x04", (".npz", ".npy")  # the reader of .npy files reports archives itself


def check_content(path: Path) -> None:
    """Check that the first bytes of a file do not belong to another format than its suffix.

    Raises:
        ScanError: they do; the message names the format and what to do.
    """
    with open(path, "rb") as stream:
        head = stream.read(_HEAD_BYTES)
    start, suffix = head.lstrip(b"\xef\xbb\xbf \t\r\n"), path.suffix.lower()
    for signature, kind, advice in _FOREIGN:
        if start[: len(signature)].lower() == signature.lower():
            raise ScanError(f"{path} is {kind}: {advice}")
    if head.startswith(_ZIP) and suffix not in _ZIP_SUFFIXES:
        raise ScanError(f"{path} is a zip archive: unpack it and name the file in it")
    for signature, suffixes, kind in _SCANS:
        if head.startswith(signature) and suffix not in suffixes:
            raise ScanError(f"{path} holds {kind} data under the suffix '{path.suffix}': rename it to {suffixes[0]}")
