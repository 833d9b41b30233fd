package operator

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/penguinshop/delivery/prices"
)

// version is what a revision of a task definition runs, and what one task of it costs a month on demand (0: no Fargate size).
type version struct {
	image, digest, commit string
	taskMonthUSD          float64
}

// version reads a revision, once: it never changes. The commit is the tag that the build gave the image.
func (d *Delivery) version(ctx context.Context, e Environment, taskDefinition string) (version, error) {
	d.mu.Lock()
	known, there := d.versions[taskDefinition]
	d.mu.Unlock()
	if there {
		return known, nil
	}
	out, err := d.Clients.World.ECS.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String(taskDefinition)})
	if err != nil {
		return version{}, err
	}
	if out.TaskDefinition == nil {
		return version{}, fmt.Errorf("there is no task definition %s", taskDefinition)
	}
	v := version{taskMonthUSD: taskMonth(out.TaskDefinition)}
	for i, c := range out.TaskDefinition.ContainerDefinitions {
		if aws.ToString(c.Name) == e.Settings.Container || e.Settings.Container == "" && i == 0 {
			v.image = aws.ToString(c.Image)
		}
	}
	if v.commit, v.digest, err = d.commit(ctx, v.image); err != nil {
		return v, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.versions == nil {
		d.versions = map[string]version{}
	}
	d.versions[taskDefinition] = v
	return v, nil
}

// commit finds the commit of an image, which is referred to by digest, by its tag in ECR. An image from elsewhere has none.
func (d *Delivery) commit(ctx context.Context, image string) (commit, digest string, err error) {
	name, digest, byDigest := strings.Cut(image, "@")
	host, repository, _ := strings.Cut(name, "/")
	if !byDigest || !strings.Contains(host, ".dkr.ecr.") {
		return "", digest, nil
	}
	account, _, _ := strings.Cut(host, ".")
	out, err := d.Clients.Images.DescribeImages(ctx, &ecr.DescribeImagesInput{
		RegistryId: aws.String(account), RepositoryName: aws.String(repository), ImageIds: []ecrtypes.ImageIdentifier{{ImageDigest: aws.String(digest)}},
	})
	if err != nil {
		return "", digest, err
	}
	for _, i := range out.ImageDetails {
		if at := slices.IndexFunc(i.ImageTags, isCommit); at >= 0 {
			return i.ImageTags[at], digest, nil
		}
	}
	return "", digest, nil
}

// isCommit tells a commit's full name from other tags.
func isCommit(tag string) bool {
	return len(tag) == 40 && strings.Trim(tag, "0123456789abcdef") == ""
}

func taskMonth(t *types.TaskDefinition) float64 {
	cpu, err := strconv.ParseFloat(aws.ToString(t.Cpu), 64)
	memory, also := strconv.ParseFloat(aws.ToString(t.Memory), 64)
	if err != nil || also != nil {
		return 0
	}
	arm := t.RuntimePlatform != nil && t.RuntimePlatform.CpuArchitecture == types.CPUArchitectureArm64
	return prices.Read().FargateMonth(cpu/1024, memory/1024, arm)
}

// monthly is what count tasks cost a month, in cents' precision.
func (v version) monthly(count int, strategy []types.CapacityProviderStrategyItem) float64 {
	var capacity []prices.Capacity
	for _, item := range strategy {
		capacity = append(capacity, prices.Capacity{
			Spot: aws.ToString(item.CapacityProvider) == "FARGATE_SPOT", Weight: float64(item.Weight), Base: float64(item.Base)})
	}
	spot := prices.SpotShare(float64(count), capacity)
	return math.Round(float64(count)*v.taskMonthUSD*(1-spot*prices.Read().Assumed.SpotDiscount)*100) / 100
}

// lastPart is the readable end of an ARN.
func lastPart(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

func or(text string, other bool, instead string) string {
	if other {
		return instead
	}
	return text
}
