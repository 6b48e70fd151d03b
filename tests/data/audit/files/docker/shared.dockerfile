FROM golang:1.24 AS build
RUN go build
FROM mcr.microsoft.com/windows/nanoserver:ltsc2022
COPY --from=build C:/app C:/app
