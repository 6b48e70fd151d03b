# syntax=docker/dockerfile:1
FROM mcr.microsoft.com/windows/servercore:ltsc2025
RUN <<EOF
FROM mcr.microsoft.com/windows/servercore:ltsc2016
EOF
COPY <<"END" C:/Dockerfile
FROM microsoft/nanoserver:1709
END
RUN --mount=type=bind,from=mcr.microsoft.com/windows/nanoserver:1809,target=C:/nano dir C:\nano
