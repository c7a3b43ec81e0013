# fastsdf on the CPU:
#   docker build -f docker/cpu.Dockerfile -t fastsdf:cpu .
#   docker run --rm -v "$PWD:/data" --user "$(id -u):$(id -g)" fastsdf:cpu fit scan.ply -o runs/scan
#   docker run --rm -v "$PWD:/data" -p 8080:8080 fastsdf:cpu view runs/scan --host 0.0.0.0

# The wheel is built apart: the image needs neither the checkout nor what builds it.
FROM python:3.12-slim AS wheel
WORKDIR /source
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim

# libgl1, libgomp1 and libusb are what open3d links to. Debian keeps only the latest version of a package, so that a
# pinned one would break the build within weeks.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgl1 libgomp1 libusb-1.0-0 \
    && rm -rf /var/lib/apt/lists/*

# The versions that the tests ran with. PyTorch's index has the CPU build of the same version of torch: a fraction
# of the size of the build for CUDA that PyPI has for Linux.
COPY constraints.txt /tmp/
COPY --from=wheel /wheels /tmp/wheels
RUN wheel="$(echo /tmp/wheels/fastsdf-*.whl)" \
    && pip install --no-cache-dir --constraint /tmp/constraints.txt \
        --extra-index-url https://download.pytorch.org/whl/cpu "${wheel}[formats,decimate,usd,report,view]" \
    && rm -rf /tmp/constraints.txt /tmp/wheels

# Not root: what a run writes belongs to this user, or to the one that --user names. A user that the image does not
# know has no home, so compiled numba functions and matplotlib's fonts are kept where everybody may write.
RUN useradd --uid 1000 fastsdf && mkdir /data && chown fastsdf:fastsdf /data
USER 1000:1000
ENV HOME=/tmp NUMBA_CACHE_DIR=/tmp/numba
WORKDIR /data

EXPOSE 8080
ENTRYPOINT ["fastsdf"]
CMD ["--help"]
