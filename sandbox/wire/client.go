package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

// Client names one SDK client that is to be used with a Config, by its service's ID and its type.
type Client struct {
	ServiceID string
	Type      reflect.Type
}

// For describes the SDK client type C, such as For[ecs.Client](ecs.ServiceID).
func For[C any](serviceID string) Client {
	return Client{ServiceID: serviceID, Type: reflect.TypeFor[*C]()}
}

// Config returns an AWS configuration whose clients call the sandbox of the session instead of AWS. The clients that will
// be made from it are named, since an operation's output type is found on them. The SDK's own validation of inputs stays
// in front; API errors come back with their code and message as smithy.GenericAPIError.
func Config(s Session, region string, clients ...Client) aws.Config {
	carrier := &carrier{session: s, clients: map[string]reflect.Type{}}
	for _, c := range clients {
		carrier.clients[c.ServiceID] = c.Type
	}
	return aws.Config{
		Region:      region,
		Credentials: aws.AnonymousCredentials{},
		APIOptions: []func(*middleware.Stack) error{func(stack *middleware.Stack) error {
			// After: the steps that name the operation and validate its input come first.
			return stack.Initialize.Add(carrier, middleware.After)
		}},
	}
}

type carrier struct {
	session Session
	clients map[string]reflect.Type
}

func (*carrier) ID() string { return "CarryToSandbox" }

// HandleInitialize ends the SDK's stack before anything is serialized or signed: the call is made here.
func (c *carrier) HandleInitialize(
	ctx context.Context, in middleware.InitializeInput, _ middleware.InitializeHandler,
) (out middleware.InitializeOutput, metadata middleware.Metadata, err error) {
	service, operation := awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx)
	method, ok := reflect.Method{}, false
	if client, known := c.clients[service]; known {
		method, ok = client.MethodByName(operation)
	}
	if !ok {
		return out, metadata, fmt.Errorf("calling %s of %s in the sandbox: name its client when making the configuration", operation, service)
	}
	result := reflect.New(method.Type.Out(0).Elem()).Interface()
	if err := c.call(ctx, service, operation, in.Parameters, result); err != nil {
		return out, metadata, err
	}
	out.Result = result
	return out, metadata, nil
}

func (c *carrier) call(ctx context.Context, service, operation string, input, output any) error {
	body, err := json.Marshal(input)
	if err != nil {
		return fmt.Errorf("writing %s's input: %w", operation, err)
	}
	address := "http://" + c.session.Address + path + url.PathEscape(service) + "/" + operation
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("calling the sandbox: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+c.session.Token)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("the sandbox at %s does not answer: start one with `go run ./cmd/sandbox run`: %w", c.session.Address, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("reading %s's output: %w", operation, err)
	}
	if response.StatusCode == http.StatusOK {
		return json.Unmarshal(text, output)
	}
	var f failure
	if err := json.Unmarshal(text, &f); err != nil || f.Code == "" {
		return fmt.Errorf("the sandbox answered %s with %s", operation, response.Status)
	}
	return &smithy.GenericAPIError{Code: f.Code, Message: f.Message}
}
