# syntax=docker/dockerfile:1
# A static binary in an image of nothing else: no shell, not root, about the size of the binary.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /realtime ./cmd/realtime \
 && mkdir /data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /realtime /realtime
# The embedded database of development needs a folder that it may write to; production does not use it.
COPY --from=build --chown=65532:65532 /data /data
WORKDIR /data
USER 65532:65532
# A container engine sets HOSTNAME to the container's own name, which the server takes as "not chosen".
ENV NODE_ENV=production PORT=3000
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 CMD ["/realtime", "health"]
ENTRYPOINT ["/realtime"]
CMD ["serve"]
