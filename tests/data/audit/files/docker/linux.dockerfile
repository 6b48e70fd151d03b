FROM golang:1.24 AS build
FROM alpine:3.20
COPY --from=build /app /app
FROM --platform=linux/amd64 example.com/private:1
