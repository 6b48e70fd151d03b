variable "TAG" {
  default = "ltsc2016"
}
target "app" {
  contexts = {
    base  = "docker-image://mcr.microsoft.com/windows/servercore:${TAG}"
    other = "docker-image://mcr.microsoft.com/windows/nanoserver:1809" # fixed
  }
}
