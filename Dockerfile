# katydid without a GPU: the coordinator, the launch programs and the CPU trainer on a Debian base.
#     docker build -t katydid .
#     docker run --rm -v "$PWD:/work" katydid run digits.yaml
# BASE is any Debian 12 image. Needs no BuildKit.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
COPY tests/packages.sh /tmp/packages.sh
RUN bash -c '. /tmp/packages.sh && kd_install_packages "the build" $KD_BUILD_PACKAGES'
COPY . /source
RUN cmake -S /source -B /build -G Ninja -DCMAKE_INSTALL_PREFIX=/usr/local -DKATYDID_TESTS=OFF \
 && cmake --build /build \
 && DESTDIR=/stage cmake --install /build --strip

FROM ${BASE}
# python3 for the trials of people who tune a Python program; everything else is what the programs link.
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        libzmq5 libjansson4 libsqlite3-0 libyaml-0-2 libpcre2-8-0 libhwloc15 libdnnl2 libopenmpi3 openmpi-bin python3 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 1000 katydid \
 && install -d -o katydid -g katydid /work
COPY --from=build /stage/usr/local /usr/local
USER katydid
WORKDIR /work
ENTRYPOINT ["katydid"]
CMD ["--help"]
