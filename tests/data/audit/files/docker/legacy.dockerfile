FROM microsoft/windowsservercore:1709
FROM microsoft/nanoserver:ltsc2022
