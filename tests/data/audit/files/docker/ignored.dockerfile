# wintag:ignore does-not-run built on the new hosts only
# wintag:ignore needs-hyperv built on the new hosts only
FROM mcr.microsoft.com/windows/servercore:ltsc2025
# wintag:ignore does-not-run
FROM mcr.microsoft.com/windows/servercore:ltsc2025
