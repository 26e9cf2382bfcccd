module github.com/apivideo/api.video-go-oauth2/cmd/apivideo-token

go 1.26.0

require (
	github.com/apivideo/api.video-go-oauth2 v0.0.0-00010101000000-000000000000
	github.com/stretchr/testify v1.12.1
	github.com/urfave/cli/v3 v3.14.0
	go.yaml.in/yaml/v3 v3.0.6
	golang.org/x/crypto/x509roots/fallback v0.0.0-20261030153154-30a33513ff6d
	golang.org/x/oauth2 v0.38.0
	golang.org/x/sys v0.50.0
	golang.org/x/term v0.48.0
	software.sslmate.com/src/go-pkcs12 v0.7.4
)

require (
	github.com/gofrs/flock v0.13.2 // indirect
	golang.org/x/crypto v0.59.0 // indirect
)

replace github.com/apivideo/api.video-go-oauth2 => ../..
