FROM mcr.microsoft.com/windows/nanoserver:1803
