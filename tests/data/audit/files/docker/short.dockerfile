FROM nanoserver:1809
FROM servercore:ltsc2022
