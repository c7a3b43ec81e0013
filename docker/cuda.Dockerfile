# fastsdf on NVIDIA GPUs; the host needs a driver for CUDA 13 and the NVIDIA container toolkit:
#   docker build -f docker/cuda.Dockerfile -t fastsdf:cuda .
#   docker run --rm --gpus all fastsdf:cuda doctor
#   docker run --rm --gpus all -v "$PWD:/data" --user "$(id -u):$(id -g)" fastsdf:cuda fit scan.ply -o runs/scan

# The "base" image is enough: it tells the container toolkit which driver is needed, and the CUDA libraries come with
# the wheels of torch. Ubuntu 24.04 has Python 3.12. Take the CUDA version that the torch of constraints.txt is built for.
ARG CUDA_IMAGE=nvidia/cuda:13.0.1-base-ubuntu24.04

# The wheel is built apart: the image needs neither the checkout nor what builds it.
FROM python:3.12-slim AS wheel
WORKDIR /source
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM ${CUDA_IMAGE}

# libgl1, libgomp1 and libusb are what open3d links to; Triton compiles the launcher of each kernel with gcc and Python's
# headers when it first runs. Ubuntu keeps only the latest version of a package, so that a pinned one would break the
# build within weeks.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        gcc libc6-dev libgl1 libgomp1 libusb-1.0-0 python3 python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*

# The versions that the tests ran with. PyPI's torch for Linux is the build for CUDA and brings the Triton that fits it.
# An environment of its own, since Ubuntu's Python refuses packages of pip.
COPY constraints.txt /tmp/
COPY --from=wheel /wheels /tmp/wheels
ENV PATH=/opt/fastsdf/bin:$PATH
RUN wheel="$(echo /tmp/wheels/fastsdf-*.whl)" \
    && python3 -m venv /opt/fastsdf \
    && pip install --no-cache-dir --constraint /tmp/constraints.txt "${wheel}[formats,decimate,usd,report,view]" \
    && rm -rf /tmp/constraints.txt /tmp/wheels

# Not root: what a run writes belongs to this user, or to the one that --user names; Ubuntu's image has the user
# "ubuntu" with the number 1000 already. A user that the image does not know has no home, so compiled functions and
# kernels are kept where everybody may write.
RUN mkdir /data && chown ubuntu:ubuntu /data
USER 1000:1000
ENV HOME=/tmp NUMBA_CACHE_DIR=/tmp/numba TRITON_CACHE_DIR=/tmp/triton
WORKDIR /data

EXPOSE 8080
ENTRYPOINT ["fastsdf"]
CMD ["--help"]
