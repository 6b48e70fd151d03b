# An image with one static program and the certificate authorities that it trusts, nothing else.
# The Rust version is that of rust-version in Cargo.toml.
# `docker buildx imagetools inspect rust:VERSION-bookworm` prints the digest.

FROM rust:1.95.0-bookworm@sha256:6258907abe69656e41cd992e0b705cdcfabcbbe3db374f92ed2d47121282d4a1 AS build
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY openapi openapi
# Linked statically with glibc, because the image below has no libraries. Naming the target keeps the flag away from build
# scripts and macros, which cannot be linked statically.
ENV RUSTFLAGS="-C target-feature=+crt-static"
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --target x86_64-unknown-linux-gnu --bin wintag \
    && cp target/x86_64-unknown-linux-gnu/release/wintag /wintag
# A volume that Docker creates gets the owner of this folder.
RUN mkdir -p /of-image/state && chmod 0700 /of-image/state

FROM scratch
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="wintag" \
      org.opencontainers.image.description="Finds the tag of a Windows base image that runs on a Windows host, and the isolation mode." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /wintag /wintag
# With an explicit mode, because otherwise it would depend on the umask of the checkout.
COPY --chmod=0644 LICENSE /LICENSE
COPY --from=build --chown=65532:65532 /of-image /
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
# Read by the service and by its health check.
ENV WINTAG_LISTEN=0.0.0.0:8080
# A number, so that Kubernetes can see that it is not root (runAsNonRoot).
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 CMD ["/wintag", "healthcheck"]
ENTRYPOINT ["/wintag"]
CMD ["serve"]
