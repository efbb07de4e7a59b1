# An image with The Eye and nothing else: the command, the few libraries that it is linked with, a user. Built by
# `docker build -t eye .`; docs/operations.md has how to run it. Tests/Checks/image.sh checks what can be without docker.
FROM swift:6.3-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends libcrypt-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# Package.swift links Swift's standard library statically.
RUN swift build -c release --product eye && packaging/image-root "$(swift build -c release --show-bin-path)/eye" /image

FROM scratch
# Owners come along: /data belongs to the user.
COPY --from=build /image /
USER 10001:10001
VOLUME /data
# Event lines (TCP and UDP), HTTP.
EXPOSE 8127/tcp 8127/udp 8000/tcp
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/eye"]
CMD ["serve", "--data", "/data", "--tcp", "0.0.0.0:8127", "--udp", "0.0.0.0:8127", "--http", "0.0.0.0:8000"]
