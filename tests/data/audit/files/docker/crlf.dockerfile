FROM mcr.microsoft.com/windows/servercore:ltsc2025
RUN dir
FROM mcr.microsoft.com/windows/nanoserver:ltsc2016