package operator

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/smithy-go"
)

// Explain says an error in one line for a person: which call failed, with AWS's own code and message, and what to do about the common
// ones.
func Explain(err error) string {
	var call *smithy.OperationError
	var api smithy.APIError
	text := err.Error()
	switch {
	case errors.As(err, &api) && errors.As(err, &call):
		text = fmt.Sprintf("%s %s: %s: %s", call.Service(), call.Operation(), api.ErrorCode(), api.ErrorMessage())
		if before, _, wrapped := strings.Cut(err.Error(), "operation error"); wrapped && before != "" {
			text = before + text
		}
	case errors.As(err, &call):
		text = strings.Replace(text, "operation error ", "", 1)
	}
	text = strings.Join(strings.Fields(text), " ")
	if hint := hint(err, text); hint != "" {
		text += " (" + hint + ")"
	}
	return text
}

func hint(err error, text string) string {
	switch name := code(err); {
	case strings.HasPrefix(name, "AccessDenied") || name == "UnauthorizedOperation":
		return "these credentials may not do this: docs/operations.md lists what an operator needs"
	case strings.HasPrefix(name, "ExpiredToken") || name == "RequestExpired":
		return "the credentials have expired: sign in again, such as with `aws sso login`"
	case name == "UnrecognizedClientException" || name == "InvalidClientTokenId" || name == "InvalidSignatureException":
		return "AWS does not know these credentials: check AWS_PROFILE or --profile"
	case strings.Contains(text, "failed to refresh cached credentials"), strings.Contains(text, "get credentials"):
		return "there are no credentials: sign in, or name a profile with --profile"
	case strings.Contains(text, "Missing Region"), strings.Contains(text, "an AWS region is required"):
		return "name the region with --region or AWS_REGION"
	}
	return ""
}

// code is an API error's code, empty where it is none. An error that came from a local world has a code and no type of its own.
func code(err error) string {
	if api := smithy.APIError(nil); errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}
