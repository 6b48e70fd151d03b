FROM mcr.microsoft.com/windows/nanoserver:1909
NONSENSE
FROM mcr.microsoft.com/windows/nanoserver:2004
