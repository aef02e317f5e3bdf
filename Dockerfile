# Two stages: Swift's image builds one binary with Swift's libraries inside, Debian's slim image holds it.
FROM swift:6.3-bookworm AS builder
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libcurl4-openssl-dev zlib1g-dev libzstd-dev libdeflate-dev libre2-dev libssl-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY Package.swift ./
COPY Sources Sources
COPY Tests Tests
COPY pipelines pipelines
RUN swift build --configuration release --static-swift-stdlib -Xswiftc -enforce-exclusivity=unchecked --product millrace \
    && install -D --strip .build/release/millrace /out/millrace

FROM debian:bookworm-slim
# Only what the binary is linked with, as Tests/EndToEnd/test_container.py checks, and the certificates of HTTPS.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates libcurl4 libdeflate0 libre2-9 libssl3 libzstd1 zlib1g && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home millrace \
    && install --directory --owner millrace /var/lib/millrace
COPY --from=builder /out/millrace /usr/local/bin/millrace
COPY pipelines/container.json /etc/millrace/pipeline.json
USER millrace
WORKDIR /var/lib/millrace
# The journal: what was accepted and not yet delivered outlives the container here.
VOLUME /var/lib/millrace
EXPOSE 4317 4318
# The slim image has no curl; bash opens the socket itself.
HEALTHCHECK --interval=10s --timeout=3s --start-period=2s \
    CMD bash -c 'exec 3<>/dev/tcp/127.0.0.1/13133 && printf "GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n" >&3 && grep -q "^HTTP/1.. 200" <&3'
ENTRYPOINT ["millrace"]
CMD ["run", "--config", "/etc/millrace/pipeline.json"]
