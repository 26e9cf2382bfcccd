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
	MethodNotAllowed       = "method-not-allowed" // the exact spelling is not documented
	AttributeRequired      = "attribute-required"
	InvalidAttribute       = "invalid-attribute"
	SourceAlreadyUploaded  = "video-source-already-uploaded"
	NoFile                 = "uploaded-file-no-file"
	MultipleFiles          = "uploaded-file-multiple-files"
	InvalidExtension       = "uploaded-file-extension-invalid"
	SummaryExists          = "summary-already-exists"
	ServerError            = "server-error" // the exact spelling is not documented
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
	{AttributeRequired, 400, "This attribute is required."},
	{InvalidAttribute, 400, "An attribute is invalid."},
	{SourceAlreadyUploaded, 400, "The source of the video is already uploaded."},
	{NoFile, 400, "There is no uploaded file in the request."},
	{MultipleFiles, 400, "There is more than one uploaded file in the request."},
	{InvalidExtension, 400, "The extension of the file is not supported."},
	{ServerError, 500, "Server error"},
	{SummaryExists, 409, "A summary already exists or is being created on this video."},
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

// Type returns the URL that stands for the problem in an answer.
func (p Problem) Type() string {
	return "https://docs.api.video/reference/" + p.ID
}
