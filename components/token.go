// Package components holds what a blue/green delivery on AWS is made of, for this program's stacks and for any other
// program: arguments in, outputs out. A component reads no config, no environment and no clock.
package components

// tokens are the components' types in the resource tree.
const (
	typeEcsEnvironment   = "penguinshop:components:EcsEnvironment"
	typeBlueGreenAlb     = "penguinshop:components:BlueGreenAlb"
	typeTrafficShift     = "penguinshop:components:TrafficShift"
	typeDeliveryPipeline = "penguinshop:components:DeliveryPipeline"
	typeGitHubAccess     = "penguinshop:components:GitHubAccess"
	typeDeployAccess     = "penguinshop:components:DeployAccess"
	typeDataKey          = "penguinshop:components:DataKey"
	typePrivateEndpoints = "penguinshop:components:PrivateEndpoints"
	typeFlowLog          = "penguinshop:components:FlowLog"
	typeNotifications    = "penguinshop:components:Notifications"
	typeDashboard        = "penguinshop:components:Dashboard"
	typeHealthAlarms     = "penguinshop:components:HealthAlarms"
)
