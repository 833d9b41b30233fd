package cloudwatch

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// dashboard is a declared dashboard. The sandbox keeps it and draws nothing from it.
type dashboard struct{ arn, body string }

// checkDashboard refuses a body that CloudWatch could not read: it is a JSON object with a list of widgets.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
func checkDashboard(body string) error {
	var read struct {
		Widgets []struct {
			Type string `json:"type"`
		} `json:"widgets"`
	}
	if err := json.Unmarshal([]byte(body), &read); err != nil {
		return &types.DashboardInvalidInputError{Message: new(fmt.Sprintf("The dashboard body is not a JSON object with a list of widgets: %v", err))}
	}
	for i, w := range read.Widgets {
		if w.Type == "" {
			return &types.DashboardInvalidInputError{Message: new(fmt.Sprintf("widgets[%d] has no type: give metric, text, log, alarm or explorer", i))}
		}
	}
	return nil
}

// GetDashboard returns a dashboard's body.
func (s *Service) GetDashboard(_ context.Context, in *cloudwatch.GetDashboardInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.GetDashboardOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, known := s.dashboards[aws.ToString(in.DashboardName)]
	if !known {
		return nil, &types.DashboardNotFoundError{Message: new(fmt.Sprintf("Dashboard %s does not exist", aws.ToString(in.DashboardName)))}
	}
	return &cloudwatch.GetDashboardOutput{DashboardName: in.DashboardName, DashboardArn: new(d.arn), DashboardBody: new(d.body)}, nil
}
