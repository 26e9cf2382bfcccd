// Package problems lists the problems that the api.video service documents:
// the reasons it gives for an answer that is an error.
package problems

import "strings"

// Problem is a documented reason.
type Problem struct {
	ID     string // the last part of the type's URL
	Status int    // the HTTP status of the answer
	Title  string
}

// The identifiers.
const (
	InvalidUserCredentials = "authentication-invalid-user-credentials"
	LegacyCredentials      = "authenticationinvalid_credentials" // the one above, until 2023
	InvalidAPIKey          = "authentication-invalid-api-key"
	InvalidRefreshToken    = "authentication-invalid-refresh-token"
	InvalidAccessToken     = "authentication-invalid-access-token"
	InvalidAuthorization   = "authentication-invalid-authorization-header-value"
	MissingAuthorization   = "authentication-missing-authorization-header"
	InvalidUploadToken     = "authentication-invalid-upload-token"
	MissingUploadToken     = "authentication-missing-upload-token"
	SuspendedAccount       = "authorization-suspended-account"
	InvalidPayload         = "payload-is-invalid" // the exact spelling is not documented
	TooManyRequests        = "too-many-requests"
	UnrecognizedURL        = "unrecognized-request-url"
	NotFound               = "resource-not-found" // the exact spelling is not documented
	MethodNotAllowed       = ""                   // no type is documented
)

// table has an identifier before the legacy one with the same title.
var table = [...]Problem{
	{InvalidUserCredentials, 400, "The user credentials were incorrect."},
	{LegacyCredentials, 400, "The user credentials were incorrect."},
	{InvalidAPIKey, 401, "The API key is invalid."},
	{InvalidRefreshToken, 401, "The refresh token is invalid."},
	{InvalidAccessToken, 401, "The access token is invalid or expired."},
	{InvalidAuthorization, 401, `The "Authorization" header value is invalid.`},
	{MissingAuthorization, 401, `The "Authorization" header is missing.`},
	{InvalidUploadToken, 401, "The upload token is invalid or expired."},
	{MissingUploadToken, 401, "The upload token is missing."},
	{SuspendedAccount, 403, "Suspended account"},
	{InvalidPayload, 400, "The payload is invalid."},
	{TooManyRequests, 429, "Too many requests."},
	{UnrecognizedURL, 404, "Unrecognized request URL."},
	{NotFound, 404, "The requested resource was not found."},
	{MethodNotAllowed, 405, "Method is not allowed for this route."},
}

// ByID returns the problem with this identifier. ok is false if there is none.
func ByID(id string) (p Problem, ok bool) {
	for _, p := range table {
		if p.ID == id {
			return p, true
		}
	}
	return Problem{}, false
}

// ID returns the identifier of a problem in an answer: the last part of the type's
// URL. If there is no type, it is that of the documented problem with this title.
func ID(kind, title string) string {
	if t := strings.TrimRight(kind, "/"); kind != "" {
		return t[strings.LastIndexByte(t, '/')+1:]
	}
	for _, p := range table {
		if p.Title == title {
			return p.ID
		}
	}
	return ""
}

// Type returns the URL that stands for the problem in an answer, or "" if none
// is documented.
func (p Problem) Type() string {
	if p.ID == "" {
		return ""
	}
	return "https://docs.api.video/reference/" + p.ID
}
