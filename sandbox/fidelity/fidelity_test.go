package fidelity_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/stretchr/testify/assert"

	"github.com/penguinshop/delivery/sandbox/fidelity"
)

func TestBeyondNamesEverySetFieldThatIsNotImitated(t *testing.T) {
	input := &ecs.CreateServiceInput{
		ServiceName: new("green"),
		Tags:        []types.Tag{{Key: new("a")}},
		Role:        new("arn:aws:iam::123456789012:role/old"),
		LoadBalancers: []types.LoadBalancer{
			{TargetGroupArn: new("arn")},
			{TargetGroupArn: new("arn"), LoadBalancerName: new("classic")},
		},
		PlacementConstraints: []types.PlacementConstraint{},
	}
	imitated := []string{"ServiceName", "Tags", "LoadBalancers.TargetGroupArn"}
	assert.Equal(t, []string{"LoadBalancers[1].LoadBalancerName", "Role"}, fidelity.Beyond(input, imitated...))
	assert.Equal(t, "the sandbox does not imitate LoadBalancers[1].LoadBalancerName, Role: leave it out", fidelity.Refusal(input, imitated...))
}

func TestBeyondIsEmptyWhereEverythingIsImitated(t *testing.T) {
	assert.Empty(t, fidelity.Refusal(&ecs.CreateServiceInput{ServiceName: new("green")}, "ServiceName"))
	assert.Empty(t, fidelity.Refusal((*ecs.CreateServiceInput)(nil)))
}
