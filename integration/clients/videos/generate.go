package videos

// The client is generated as its users generate theirs.
//go:generate go tool oapi-codegen -config config.yaml openapi.yaml
