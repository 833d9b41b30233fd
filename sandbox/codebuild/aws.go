package codebuild

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/jmespath/go-jmespath"
)

// The exit codes of the AWS command line (version 2).
const (
	exitUsage   = 252
	exitService = 254
	exitGeneral = 255
)

// awsCLI answers the few AWS commands that a build of this project needs, in the words of the AWS command line, from the
// sandbox's registry.
type awsCLI struct {
	registry       string
	stdout, stderr io.Writer
}

// awsArguments are the parsed arguments after "aws <service> <operation>".
type awsArguments struct {
	repository, query, output string
	images                    []imageID
}

type imageID struct{ tag, digest string }

func (c *awsCLI) run(args []string) int {
	command := "aws " + strings.Join(args, " ")
	if len(args) < 2 {
		return c.unknown(command)
	}
	operation, flags := strings.Join(args[:2], " "), args[2:]
	parsed, err := parseAWSArguments(operation, flags)
	if err != nil {
		fmt.Fprintf(c.stderr, "%s: %v\n", command, err)
		return exitUsage
	}
	switch operation {
	case "ecr get-login-password":
		// A token as good as any: the sandbox's registry asks nobody who they are.
		fmt.Fprintln(c.stdout, rand.Text())
		return 0
	case "ecr describe-images":
		details, err := c.describeImages(parsed)
		var service *serviceError
		switch {
		case errors.As(err, &service):
			fmt.Fprintf(c.stderr, "\nAn error occurred (%s) when calling the DescribeImages operation: %s\n", service.code, service.message)
			return exitService
		case err != nil:
			fmt.Fprintf(c.stderr, "\nCould not connect to the registry: %v\n", err)
			return exitGeneral
		}
		if err := c.print(map[string]any{"imageDetails": details}, parsed.query, parsed.output); err != nil {
			fmt.Fprintf(c.stderr, "%s: %v\n", command, err)
			return exitUsage
		}
		return 0
	default:
		return c.unknown(command)
	}
}

func (c *awsCLI) unknown(command string) int {
	fmt.Fprintf(c.stderr, "the sandbox cannot answer %q: in a build it knows aws ecr get-login-password and aws ecr describe-images\n", command)
	return exitUsage
}

// parseAWSArguments reads flags as --name value or --name=value. An operation that the sandbox does not know is not judged.
func parseAWSArguments(operation string, flags []string) (awsArguments, error) {
	known := map[string][]string{
		"ecr get-login-password": {"--region"},
		"ecr describe-images":    {"--region", "--repository-name", "--image-ids", "--query", "--output", "--registry-id"},
	}[operation]
	parsed := awsArguments{output: "json"}
	if known == nil {
		return parsed, nil
	}
	for len(flags) > 0 {
		flag, value, joined := strings.Cut(flags[0], "=")
		if !slices.Contains(known, flag) {
			return parsed, fmt.Errorf("the sandbox does not know the option %s here", flag)
		}
		flags = flags[1:]
		values := []string{value}
		if !joined {
			n := slices.IndexFunc(flags, func(s string) bool { return strings.HasPrefix(s, "--") })
			if n < 0 {
				n = len(flags)
			}
			values, flags = flags[:n], flags[n:]
		}
		if len(values) == 0 || len(values) > 1 && flag != "--image-ids" {
			return parsed, fmt.Errorf("the option %s takes one value", flag)
		}
		switch flag {
		case "--repository-name":
			parsed.repository = values[0]
		case "--query":
			parsed.query = values[0]
		case "--output":
			parsed.output = values[0]
		case "--image-ids":
			for _, text := range values {
				id, err := parseImageID(text)
				if err != nil {
					return parsed, err
				}
				parsed.images = append(parsed.images, id)
			}
		}
	}
	if operation == "ecr describe-images" && parsed.repository == "" {
		return parsed, errors.New("the following arguments are required: --repository-name")
	}
	if parsed.output != "json" && parsed.output != "text" {
		return parsed, fmt.Errorf("--output %s: the sandbox prints json and text", parsed.output)
	}
	return parsed, nil
}

func parseImageID(text string) (imageID, error) {
	var id imageID
	for part := range strings.SplitSeq(text, ",") {
		key, value, _ := strings.Cut(part, "=")
		switch {
		case key == "imageTag" && value != "":
			id.tag = value
		case key == "imageDigest" && value != "":
			id.digest = value
		default:
			return id, fmt.Errorf("--image-ids %s: write imageTag=… or imageDigest=…", text)
		}
	}
	return id, nil
}

// serviceError is an error that ECR itself would answer with.
type serviceError struct{ code, message string }

func (e *serviceError) Error() string { return e.code + ": " + e.message }

// describeImages asks the registry. It lists the images that have a tag, as the registry's API can list no others. A registry
// does not tell when an image was pushed: imagePushedAt is when it was made.
func (c *awsCLI) describeImages(args awsArguments) ([]any, error) {
	repository, err := name.NewRepository(c.registry+"/"+args.repository, name.Insecure)
	if err != nil {
		return nil, &serviceError{"InvalidParameterException", err.Error()}
	}
	if len(args.images) == 0 {
		tags, err := remote.List(repository)
		if err != nil && !notFound(err) {
			return nil, err
		}
		for _, tag := range tags {
			args.images = append(args.images, imageID{tag: tag})
		}
	}
	byDigest := map[string]map[string]any{}
	details := []any{}
	for _, id := range args.images {
		var reference name.Reference = repository.Tag(id.tag)
		if id.digest != "" {
			reference = repository.Digest(id.digest)
		}
		found, err := remote.Get(reference)
		if notFound(err) {
			return nil, &serviceError{"ImageNotFoundException", fmt.Sprintf(
				"The image with imageId {imageDigest:'%s', imageTag:'%s'} does not exist within the repository with name '%s'",
				orNull(id.digest), orNull(id.tag), args.repository)}
		}
		if err != nil {
			return nil, err
		}
		detail := byDigest[found.Digest.String()]
		if detail == nil {
			if detail, err = describe(args.repository, found); err != nil {
				return nil, err
			}
			byDigest[found.Digest.String()] = detail
			details = append(details, detail)
		}
		if id.tag != "" {
			tags, _ := detail["imageTags"].([]any)
			detail["imageTags"] = append(tags, id.tag)
		}
	}
	return details, nil
}

func describe(repository string, found *remote.Descriptor) (map[string]any, error) {
	detail := map[string]any{
		"repositoryName": repository, "imageDigest": found.Digest.String(), "imageManifestMediaType": string(found.MediaType),
	}
	image, err := found.Image()
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	manifest, err := image.Manifest()
	if err != nil {
		return nil, err
	}
	size := manifest.Config.Size
	for _, layer := range manifest.Layers {
		size += layer.Size
	}
	detail["imageSizeInBytes"] = float64(size)
	detail["imagePushedAt"] = config.Created.UTC().Format("2006-01-02T15:04:05.000000000-07:00")
	return detail, nil
}

func notFound(err error) bool {
	var answer *transport.Error
	return errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound
}

func orNull(text string) string {
	if text == "" {
		return "null"
	}
	return text
}

// print writes what the query (JMESPath) selects, as the AWS command line does.
func (c *awsCLI) print(document any, query, output string) error {
	if query != "" {
		selected, err := jmespath.Search(query, document)
		if err != nil {
			return fmt.Errorf("bad value for --query %s: %w", query, err)
		}
		document = selected
	}
	if output == "json" {
		text, err := json.MarshalIndent(document, "", "    ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.stdout, "%s\n", text)
		return err
	}
	values, isList := document.([]any)
	if !isList {
		values = []any{document}
	}
	words := make([]string, len(values))
	for i, value := range values {
		switch value := value.(type) {
		case nil:
			words[i] = "None"
		case map[string]any, []any:
			return errors.New("--output text: the sandbox prints single values and lists of them; narrow --query, or use --output json")
		default:
			words[i] = fmt.Sprint(value)
		}
	}
	_, err := fmt.Fprintln(c.stdout, strings.Join(words, "\t"))
	return err
}
