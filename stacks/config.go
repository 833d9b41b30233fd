package stacks

import "github.com/penguinshop/delivery/shiftfn/rollout"

// Config is everything that a stack's file can say, below the project's namespace (`penguinshop:`). The tags are the one
// home of the reference: `json` is the key, `role` the roles that it belongs to (none: both), `default` the value where the
// file is silent, `example` a right value for an error message; `min`, `max`, `oneof` and `required` are checked. The comments
// are what the reference tells people.
type Config struct {
	// What the stack is: an environment (env), or the owner of the images and the pipeline (shared).
	Role string `json:"role" required:"true" oneof:"env,shared" example:"env"`
	// The ECR repository of the images. The shared stack makes it, the environments may pull from it.
	EcrRepository string `json:"ecrRepository" default:"penguinshop-dev" example:"penguinshop-dev"`
	// How many days log lines are kept, one of the periods that CloudWatch knows.
	LogRetentionDays int `json:"logRetentionDays" default:"30" example:"90"`
	// Whether the stack is held to what production needs: private addresses, and deletion only on purpose.
	Production bool `json:"production" default:"false" example:"true"`
	// What the plan finds unsafe and is right here, each with its reason. An entry that accepts nothing is a finding itself.
	Accept []Acceptance `json:"accept" default:"[]" example:"[{\"rule\": \"plain-http\", \"reason\": \"no domain yet, and test data only\"}]"`
	// The reason, in words, why `up` and `destroy` may now replace or delete what carries the traffic (load balancer, listener,
	// preview rule, target groups, services) or holds the images, AWS's own deletion protection included. Without it Pulumi
	// refuses both.
	Unprotected string `json:"unprotected" example:"the environment is being torn down"`
	// Whether logs, artifacts and images rest under a key of the stack's own, rotated every year, for a dollar a month, instead of
	// AWS's keys.
	CustomerKey bool `json:"customerKey" default:"false" example:"true"`

	// Who is told of alarms, approvals and deliveries that have ended.
	Notifications Notifications `json:"notifications" example:"{\"emails\": [\"team@example.com\"]}"`

	// How a release arrives: beside the running version with the traffic moved step by step (blueGreen), or in place
	// by ECS alone (rolling). ECS alone takes the tasks' size and environment from the revision that runs: there, what
	// changes in service comes only with a service that is made anew.
	Strategy string `json:"strategy" role:"env" default:"blueGreen" oneof:"blueGreen,rolling" example:"blueGreen"`
	// Where the environment stands.
	Network Network `json:"network" role:"env" example:"{\"zones\": 3, \"nat\": \"perZone\"}"`
	// How users come in over TLS. Without it the environment speaks plain HTTP, which accept must then say the reason of, in
	// an entry with the rule plain-http.
	HTTPS *HTTPS `json:"https" role:"env" example:"{\"domain\": \"shop.example.com\", \"hostedZoneId\": \"Z0123456789ABCDEFGHIJ\"}"`
	// The load balancer and how it judges its targets.
	LoadBalancer LoadBalancer `json:"loadBalancer" role:"env" example:"{\"deletionProtection\": true}"`
	// Where the images and the pipeline are, when that is another account or region than the environment's own.
	Tools *Tools `json:"tools" role:"env" example:"{\"accountId\": \"210987654321\", \"region\": \"eu-central-1\"}"`
	// The service's tasks.
	Service Service `json:"service" role:"env" example:"{\"cpu\": 512, \"memoryMiB\": 1024, \"minimum\": 2}"`
	// How a release's traffic is moved and judged (blueGreen only).
	Rollout rollout.Policy `json:"rollout" role:"env" example:"{\"preset\": \"canary\", \"standbySeconds\": 3600}"`
	// When the environment is put to zero tasks, colours and weights untouched: at night, and on days on which nobody needs it
	// (blueGreen only). A delivery wakes it. Production is refused unless accept says why it is right there, in an entry with the
	// rule sleeping-production.
	Sleep *rollout.Hours `json:"sleep" role:"env" example:"{\"from\": \"20:00\", \"until\": \"07:00\", \"timezone\": \"Europe/Berlin\"}"`
	// When the environment raises an alarm, which rolls back a release while its former version is still warm.
	Alarms Alarms `json:"alarms" role:"env" example:"{\"errorsPerMinute\": 5}"`

	// Whether CloudWatch has a page with the environment's traffic, errors, latency and targets by colour.
	Dashboard bool `json:"dashboard" role:"env" default:"false" example:"true"`

	// The environments that the pipeline delivers to, in this order. At least one.
	Environments []Target `json:"environments" role:"shared" default:"[]" example:"[{\"name\": \"dev\"}, {\"name\": \"prod\", \"approval\": true}]"`
	// Where the changes come from.
	Source Source `json:"source" role:"shared" example:"{\"repository\": \"penguinshop/delivery\", \"branch\": \"main\"}"`
	// What the repository's own workflows need: roles in AWS, variables, environments and the rules of the delivered branch.
	// Without it nothing at GitHub is touched. It takes `github:owner` in the file and a token in GITHUB_TOKEN.
	GitHub *GitHub `json:"github" role:"shared" example:"{\"ownerId\": 1234567, \"repositoryId\": 123456789, \"stateUrl\": \"s3://acme-pulumi-state\"}"`
	// The images in ECR.
	Image Image `json:"image" role:"shared" example:"{\"untaggedDays\": 14}"`
	// Which vulnerabilities in an image stop its delivery.
	Scan Scan `json:"scan" role:"shared" example:"{\"failOn\": \"HIGH\"}"`
	// How a change becomes an image.
	Build Build `json:"build" role:"shared" example:"{\"compute\": \"BUILD_GENERAL1_MEDIUM\"}"`
	// The approvals that environments ask for.
	Approval Approval `json:"approval" role:"shared" example:"{\"timeoutMinutes\": 1440}"`
	// The pipeline's ECS action.
	Deploy Deploy `json:"deploy" role:"shared" example:"{\"timeoutMinutes\": 20}"`
}

// Acceptance is one finding that is right in this stack.
type Acceptance struct {
	// The rule's name, as the plan shows it.
	Rule string `json:"rule" required:"true" example:"plain-http"`
	// The resource's name or URN, or a pattern with *; empty for every resource.
	Resource string `json:"resource" example:"web-http"`
	// The reason, in words that a person can judge.
	Reason string `json:"reason" required:"true" example:"no domain yet, and test data only"`
}

// Network is where the environment stands.
type Network struct {
	// A VPC that is there already. Without it the environment makes its own.
	Existing *ExistingNetwork `json:"existing" example:"{\"vpcId\": \"vpc-0123456789abcdef0\", \"publicSubnetIds\": [\"subnet-0123456789abcdef0\", \"subnet-0123456789abcdef1\"]}"`
	// The VPC's addresses, a block of /16 to /24.
	Cidr string `json:"cidr" default:"10.0.0.0/16" example:"10.20.0.0/16"`
	// How many availability zones; a load balancer needs two.
	Zones int `json:"zones" default:"2" min:"2" max:"6" example:"3"`
	// How tasks reach what they need. none: the internet, from public subnets with public addresses, without a charge by the
	// hour. single: the internet, from private subnets by one NAT gateway. perZone: by one in each zone. endpoints: AWS's
	// own services alone, by private endpoints.
	Nat string `json:"nat" default:"single" oneof:"none,single,perZone,endpoints" example:"single"`
	// Whether every connection in the VPC is recorded.
	FlowLogs bool `json:"flowLogs" default:"false" example:"true"`
}

// ExistingNetwork is a VPC of others.
type ExistingNetwork struct {
	// The VPC.
	VpcID string `json:"vpcId" required:"true" example:"vpc-0123456789abcdef0"`
	// The load balancer's subnets, at least two in different zones.
	PublicSubnetIDs []string `json:"publicSubnetIds" required:"true" example:"[\"subnet-0123456789abcdef0\", \"subnet-0123456789abcdef1\"]"`
	// The tasks' subnets, which must reach the registry and AWS's services. Empty: the public ones, with public addresses.
	TaskSubnetIDs []string `json:"taskSubnetIds" default:"[]" example:"[\"subnet-0123456789abcdef2\", \"subnet-0123456789abcdef3\"]"`
}

// Tools is where the images and the pipeline are.
type Tools struct {
	// The account of the shared stack, in quotes.
	AccountID string `json:"accountId" required:"true" example:"210987654321"`
	// The region of the shared stack.
	Region string `json:"region" required:"true" example:"eu-central-1"`
	// The name of the pipeline's role, in which * stands for what Pulumi adds. It alone may deliver here from another account.
	PipelineRole string `json:"pipelineRole" default:"shared-delivery-pipeline-*" example:"shared-delivery-pipeline-*"`
}

// HTTPS is how users come in over TLS.
type HTTPS struct {
	// The name that users know.
	Domain string `json:"domain" required:"true" example:"shop.example.com"`
	// Route 53's zone that the domain lies in. The certificate and the domain's record are then made as well.
	HostedZoneID string `json:"hostedZoneId" example:"Z0123456789ABCDEFGHIJ"`
	// A certificate in ACM that holds the domain, in the environment's region. Without hostedZoneId the domain's record is
	// yours to make.
	CertificateArn string `json:"certificateArn" example:"arn:aws:acm:eu-central-1:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef"`
}

// LoadBalancer is the load balancer's side of an environment.
type LoadBalancer struct {
	// Who may come in.
	IngressCidrs []string `json:"ingressCidrs" default:"[\"0.0.0.0/0\"]" example:"[\"203.0.113.0/24\"]"`
	// Whether AWS refuses to delete the load balancer.
	DeletionProtection bool `json:"deletionProtection" default:"false" example:"true"`
	// How long a leaving target may finish its requests, in seconds.
	DeregistrationDelaySeconds int `json:"deregistrationDelaySeconds" default:"30" min:"0" max:"3600" example:"30"`
	// How long an idle connection is kept, in seconds. The app keeps its own for 65, which must be longer.
	IdleTimeoutSeconds int `json:"idleTimeoutSeconds" default:"60" min:"1" max:"64" example:"60"`
	// Days that a record of every request is kept in a bucket of its own; 0 keeps none.
	AccessLogDays int `json:"accessLogDays" default:"0" min:"0" max:"3650" example:"90"`
	// How a target is judged.
	HealthCheck HealthCheck `json:"healthCheck" example:"{\"path\": \"/readyz\", \"intervalSeconds\": 10}"`
}

// HealthCheck is how a target is judged.
type HealthCheck struct {
	// What is asked for. It begins with a slash.
	Path string `json:"path" default:"/readyz" example:"/readyz"`
	// The status, or the range, of a healthy answer.
	Status string `json:"status" default:"200" example:"200-299"`
	// Seconds between two checks.
	IntervalSeconds int `json:"intervalSeconds" default:"10" min:"5" max:"300" example:"10"`
	// Seconds until a check without an answer has failed; less than the interval.
	TimeoutSeconds int `json:"timeoutSeconds" default:"5" min:"2" max:"120" example:"5"`
	// Good checks in a row that make a target healthy.
	HealthyCount int `json:"healthyCount" default:"2" min:"2" max:"10" example:"2"`
	// Bad checks in a row that make it unhealthy.
	UnhealthyCount int `json:"unhealthyCount" default:"2" min:"2" max:"10" example:"3"`
}

// Service is the service's tasks.
type Service struct {
	// A task's CPU units; 1024 is one processor. Fargate has 256, 512, 1024, 2048, 4096, 8192 and 16384.
	CPU int `json:"cpu" default:"256" example:"512"`
	// A task's memory in MiB, one of the sizes that Fargate has for the CPU units.
	MemoryMiB int `json:"memoryMiB" default:"512" example:"1024"`
	// The tasks' processors. The build makes arm64 images; x86_64 needs another build.
	Architecture string `json:"architecture" default:"arm64" oneof:"arm64,x86_64" example:"arm64"`
	// The smallest number of tasks on the live side.
	Minimum int `json:"minimum" default:"1" min:"1" max:"5000" example:"2"`
	// The largest number of tasks on a side.
	Maximum int `json:"maximum" default:"4" min:"1" max:"5000" example:"10"`
	// The average CPU use, in percent, that the number of tasks follows.
	CPUPercent int `json:"cpuTargetPercent" default:"60" min:"10" max:"95" example:"60"`
	// The requests a minute and task that the number of tasks follows as well; 0 does not.
	RequestsPerTarget int `json:"requestsPerTarget" default:"0" min:"0" max:"1000000" example:"3000"`
	// The share of tasks on Fargate Spot, which costs about a third and may be taken away with two minutes' notice.
	SpotPercent int `json:"spotPercent" default:"0" min:"0" max:"100" example:"50"`
	// The public image that answers the health check on the app's port until the first delivery.
	PlaceholderImage string `json:"placeholderImage" default:"ghcr.io/stefanprodan/podinfo:6.9.1" example:"ghcr.io/stefanprodan/podinfo:6.9.1"`
	// Environment variables of the container. No secrets.
	Environment map[string]string `json:"environment" default:"{}" example:"{\"LOG_LEVEL\": \"debug\"}"`
	// Environment variables whose values ECS reads when it starts a task: name, and the ARN of a secret in Secrets Manager or
	// of a parameter in SSM. The tasks' start may read exactly these.
	Secrets map[string]string `json:"secrets" default:"{}" example:"{\"DATABASE_URL\": \"arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop-a1b2c3\"}"`
	// Whether ECS moves tasks until every zone has as many as the others.
	ZoneRebalancing bool `json:"zoneRebalancing" default:"false" example:"true"`
	// How long a starting task may be unhealthy before ECS replaces it, in seconds.
	HealthGraceSeconds int `json:"healthGraceSeconds" default:"30" min:"0" max:"3600" example:"60"`
	// CloudWatch Container Insights of the cluster, which are charged by metric.
	ContainerInsights string `json:"containerInsights" default:"disabled" oneof:"disabled,enabled,enhanced" example:"enabled"`
	// Whether an operator may open a shell in a task (ECS Exec).
	ExecuteCommand bool `json:"executeCommand" default:"false" example:"true"`
}

// Notifications is who is told.
type Notifications struct {
	// E-mail addresses. AWS asks each of them for a confirmation first.
	Emails []string `json:"emails" default:"[]" example:"[\"team@example.com\"]"`
}

// Alarms is when the environment raises an alarm.
type Alarms struct {
	// More answers with 5xx than this in a minute, twice in three minutes, raise an alarm.
	ErrorsPerMinute int `json:"errorsPerMinute" default:"10" min:"0" max:"1000000" example:"5"`
	// A 99th percentile of the answer time above this, in milliseconds, raises an alarm; 0 watches none.
	LatencyMs int `json:"latencyMs" default:"0" min:"0" max:"60000" example:"800"`
}

// Target is one environment that the pipeline delivers to.
type Target struct {
	// The environment's stack, and the pipeline's stage.
	Name string `json:"name" required:"true" example:"dev"`
	// Whether a person must approve each release to it.
	Approval bool `json:"approval" default:"false" example:"true"`
	// The environment's strategy, which its stack must have as well.
	Strategy string `json:"strategy" default:"blueGreen" oneof:"blueGreen,rolling" example:"blueGreen"`
	// The stack's full name, where it is not of this organization and project.
	Stack string `json:"stack" example:"acme/penguinshop/dev"`
}

// Source is where the changes come from.
type Source struct {
	// The GitHub repository, owner/name.
	Repository string `json:"repository" default:"penguinshop/delivery" example:"penguinshop/delivery"`
	// The branch that is delivered.
	Branch string `json:"branch" default:"main" example:"main"`
	// What a push must touch to start a delivery, at most 8 patterns.
	Paths []string `json:"paths" default:"[\"app/**\"]" example:"[\"app/**\"]"`
}

// GitHub is what the repository's workflows need. The repository itself is source.repository.
type GitHub struct {
	// GitHub's number of the repository's owner: `gh api repos/OWNER/NAME --jq .owner.id`.
	OwnerID int `json:"ownerId" required:"true" min:"1" max:"999999999999" example:"1234567"`
	// GitHub's number of the repository: `gh api repos/OWNER/NAME --jq .id`.
	RepositoryID int `json:"repositoryId" required:"true" min:"1" max:"999999999999" example:"123456789"`
	// The bucket that Pulumi keeps the stacks' state in, with a folder or without; workflows log in there.
	StateURL string `json:"stateUrl" required:"true" example:"s3://acme-pulumi-state"`
	// The KMS key that encrypts the secrets in the state (`pulumi stack init --secrets-provider awskms://…`). Previews may
	// decrypt with it, so keep no other secrets under it.
	SecretsKeyArn string `json:"secretsKeyArn" example:"arn:aws:kms:eu-central-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"`
	// GitHub's identity provider in the account, where it is there already: an account can have one only.
	ProviderArn string `json:"oidcProviderArn" example:"arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"`
	// Roles for `pulumi up` that are there already, by stack: an environment of another account needs one.
	UpRoles map[string]string `json:"upRoles" default:"{}" example:"{\"prod\": \"arn:aws:iam::210987654321:role/prod-up\"}"`
	// How many people must approve a pull request.
	Approvals int `json:"approvals" default:"1" min:"0" max:"10" example:"1"`
	// Who lets `pulumi up` into an environment. One that is not listed takes every merge.
	Reviewers []Reviewers `json:"reviewers" default:"[]" example:"[{\"environment\": \"prod\", \"users\": [1234567]}]"`
}

// Reviewers are who lets `pulumi up` into one environment.
type Reviewers struct {
	// The stack, which is the GitHub environment as well.
	Environment string `json:"environment" required:"true" example:"prod"`
	// Teams, by GitHub's numbers: `gh api orgs/ORG/teams/TEAM --jq .id`. At most six with the users.
	Teams []int `json:"teams" default:"[]" example:"[7654321]"`
	// People, by GitHub's numbers: `gh api users/NAME --jq .id`.
	Users []int `json:"users" default:"[]" example:"[1234567]"`
}

// Image is the images in ECR.
type Image struct {
	// Days after which an image that no tag names expires. Tagged images, and so all that are live or on standby,
	// stay.
	UntaggedDays int `json:"untaggedDays" default:"14" min:"1" max:"3650" example:"14"`
}

// Scan is which vulnerabilities in an image stop its delivery. ECR scans each image when it is pushed.
type Scan struct {
	// The least severity of a finding that stops the delivery before the first environment; none stops none.
	FailOn string `json:"failOn" default:"CRITICAL" oneof:"none,CRITICAL,HIGH,MEDIUM,LOW" example:"HIGH"`
	// Findings that may stay for a while, at most 80.
	Exceptions []ScanException `json:"exceptions" default:"[]" example:"[{\"id\": \"CVE-2023-45853\", \"reason\": \"minizip is not used\", \"until\": \"2026-12-31\"}]"`
}

// ScanException is a finding that may stay for a while.
type ScanException struct {
	// The finding's name, as the scan shows it.
	ID string `json:"id" required:"true" example:"CVE-2023-45853"`
	// The reason, in words that a person can judge.
	Reason string `json:"reason" required:"true" example:"minizip is not used"`
	// The last day, in UTC, on which it may stay.
	Until string `json:"until" required:"true" example:"2026-12-31"`
}

// Build is how a change becomes an image.
type Build struct {
	// The build's instructions, a path in the repository.
	Buildspec string `json:"buildspec" default:"app/buildspec.yml" example:"app/buildspec.yml"`
	// The image that the Dockerfile builds on. Docker Hub itself limits builds from AWS.
	BaseImage string `json:"baseImage" default:"public.ecr.aws/docker/library/node:24-slim" example:"public.ecr.aws/docker/library/node:24-slim"`
	// CodeBuild's own image that the build runs in.
	Image string `json:"image" default:"aws/codebuild/amazonlinux-aarch64-standard:3.0" example:"aws/codebuild/amazonlinux-aarch64-standard:3.0"`
	// The size of CodeBuild's machine.
	Compute string `json:"compute" default:"BUILD_GENERAL1_SMALL" oneof:"BUILD_GENERAL1_SMALL,BUILD_GENERAL1_MEDIUM,BUILD_GENERAL1_LARGE,BUILD_GENERAL1_XLARGE,BUILD_GENERAL1_2XLARGE" example:"BUILD_GENERAL1_SMALL"`
	// Whether a build that failed is repeated once by itself.
	Retry bool `json:"retry" default:"false" example:"true"`
	// Minutes after which a build has failed.
	Minutes int `json:"timeoutMinutes" default:"20" min:"5" max:"2160" example:"20"`
}

// Approval is the approvals that environments ask for.
type Approval struct {
	// Minutes after which an approval that nobody gave is a rejection: 5 minutes to 60 days.
	Minutes int `json:"timeoutMinutes" default:"4320" min:"5" max:"86400" example:"1440"`
}

// Deploy is the pipeline's ECS action.
type Deploy struct {
	// Minutes after which ECS's part of a delivery has failed.
	Minutes int `json:"timeoutMinutes" default:"20" min:"1" max:"60" example:"20"`
}
