FROM mcr.microsoft.com/windows/nanoserver@sha256:0000000000000000000000000000000000000000000000000000000000000000
FROM mcr.microsoft.com/windows/nanoserver:no-such-tag
FROM MCR.microsoft.com/Windows/nanoserver:1809
FROM scratch
ONBUILD COPY --from=mcr.microsoft.com/windows/nanoserver:1903 C:/a C:/b
