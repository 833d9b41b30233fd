package stacks

import (
	"fmt"
	"net/mail"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/penguinshop/delivery/components"
	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// longestName is the longest logical name among the resources of a role whose AWS names have a limit of 32 characters
// (load balancers, target groups, connections).
var longestName = map[string]string{
	roleEnvironment: albComponent + "-" + string(rollout.Green),
	roleShared:      pipelineComponent + "-source",
}

const (
	awsShortName = 32
	// autonamed is what Pulumi's autonaming adds: a dash and seven hexadecimal digits.
	autonamed = 8
)

// retentions are the periods that CloudWatch Logs keeps log lines for, in days.
var retentions = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

// check finds what no single value shows: values that do not fit each other, and AWS's limits.
func check(stack string, c *Config, p *problems) {
	if !slices.Contains(retentions, c.LogRetentionDays) {
		p.add("logRetentionDays", fmt.Sprintf("is %d, which is not a period that CloudWatch knows (%s)",
			c.LogRetentionDays, strings.Trim(fmt.Sprint(retentions), "[]")), "30")
	}
	if !repositoryName.MatchString(c.EcrRepository) || len(c.EcrRepository) > 256 {
		p.add("ecrRepository", fmt.Sprintf("is %q, which is not a name that ECR allows", c.EcrRepository), "penguinshop-dev")
	}
	if room := awsShortName - autonamed - 1 - len(longestName[c.Role]); longestName[c.Role] != "" && len(stack) > room {
		p.add("role",
			fmt.Sprintf("the stack's name %q is too long: with it, AWS's limit of %d characters would be passed by %s-%s and Pulumi's %d more; "+
				"a stack of role %s has a name of at most %d characters", stack, awsShortName, stack, longestName[c.Role], autonamed, c.Role, room), "")
	}
	if text := strings.TrimSpace(c.Unprotected); c.Unprotected != "" && len(text) < reasonLength {
		p.add("unprotected", fmt.Sprintf("is %q, which is not a reason that a person could judge", c.Unprotected),
			`"the environment is being torn down"`)
	}
	for i, address := range c.Notifications.Emails {
		if parsed, err := mail.ParseAddress(address); err != nil || parsed.Address != address {
			p.add(fmt.Sprintf("notifications.emails[%d]", i), fmt.Sprintf("is %q, which is not an e-mail address", address), "team@example.com")
		}
	}
	for i, a := range c.Accept {
		if text := strings.TrimSpace(a.Reason); a.Reason != "" && len(text) < reasonLength {
			p.add(fmt.Sprintf("accept[%d].reason", i), fmt.Sprintf("is %q, which is not a reason that a person could judge", a.Reason),
				`"no domain yet, and test data only"`)
		}
	}
	switch c.Role {
	case roleEnvironment:
		checkEnvironment(c, p)
	case roleShared:
		checkShared(c, p)
		checkGitHub(stack, c, p)
	}
}

var (
	// repositoryName is ECR's own pattern.
	repositoryName = regexp.MustCompile(`^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$`)
	// statusRange is a matcher of a target group: one status, a list or a range.
	statusRange       = regexp.MustCompile(`^[2-4][0-9]{2}(?:[,-][2-4][0-9]{2})*$`)
	certificate       = regexp.MustCompile(`^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[0-9a-f-]+$`)
	vpcID             = regexp.MustCompile(`^vpc-[0-9a-f]{8,17}$`)
	subnetID          = regexp.MustCompile(`^subnet-[0-9a-f]{8,17}$`)
	hostedZone        = regexp.MustCompile(`^Z[0-9A-Z]{1,31}$`)
	privateRepository = regexp.MustCompile(`^[0-9]{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/([^:@]+)`)
	secretArn         = regexp.MustCompile(`^arn:aws[a-z-]*:(?:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:|ssm:[a-z0-9-]+:[0-9]{12}:parameter/)\S+$`)
	domainName        = regexp.MustCompile(`^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$`)
	variableName      = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	stageName         = regexp.MustCompile(`^[A-Za-z0-9.@_-]{1,80}$`)
	gitHubName        = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$`)
	fullStackName     = regexp.MustCompile(`^[^/]+/[^/]+/[^/]+$`)
	stateURL          = regexp.MustCompile(`^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[^?#*]*)?$`)
	keyArn            = regexp.MustCompile(`^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[0-9a-f-]+$`)
	roleArn           = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/\S+$`)
	gitHubIssuer      = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:oidc-provider/token\.actions\.githubusercontent\.com$`)
	imageReference    = regexp.MustCompile(`^[a-z0-9]+(?:[._:/-]+[a-zA-Z0-9]+)*(?:@sha256:[0-9a-f]{64})?$`)
)

func checkEnvironment(c *Config, p *problems) {
	checkNetwork(c, p)
	checkEntrance(c, p)
	checkHealth(c.LoadBalancer.HealthCheck, p)
	checkService(c.Service, p)
	checkSleep(c, p)
	checkTools(c.Tools, p)
	if c.Strategy == "rolling" {
		return
	}
	if p.touched("rollout") {
		return // the policy is not the one that is meant
	}
	if _, wrong := c.Rollout.Plan(); len(wrong) > 0 {
		for _, w := range wrong {
			p.add(w.Path, w.What, w.Example)
		}
	}
}

// reasonLength is how many characters a reason must have to be one.
const reasonLength = 10

func checkNetwork(c *Config, p *problems) {
	n := c.Network
	block, err := netip.ParsePrefix(n.Cidr)
	if err != nil || !block.Addr().Is4() || block.Bits() < 16 || block.Bits() > 24 || block.Masked() != block {
		p.add("network.cidr", fmt.Sprintf("is %q, which is not an IPv4 network of /16 to /24", n.Cidr), "10.0.0.0/16")
	}
	if n.Nat == natEndpoints && n.Existing == nil && !privateRepository.MatchString(c.Service.PlaceholderImage) {
		p.add("service.placeholderImage",
			fmt.Sprintf("is %q, which tasks with nat: endpoints cannot reach: it must lie in this account's ECR", c.Service.PlaceholderImage),
			"123456789012.dkr.ecr.eu-central-1.amazonaws.com/placeholder:1")
	}
	if n.Existing == nil {
		return
	}
	if !vpcID.MatchString(n.Existing.VpcID) {
		p.add("network.existing.vpcId", fmt.Sprintf("is %q, which is not a VPC's identifier", n.Existing.VpcID), "vpc-0123456789abcdef0")
	}
	if len(n.Existing.PublicSubnetIDs) < 2 {
		p.add("network.existing.publicSubnetIds",
			fmt.Sprintf("has %d subnets; a load balancer needs two in different zones", len(n.Existing.PublicSubnetIDs)),
			`["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]`)
	}
	for key, ids := range map[string][]string{"publicSubnetIds": n.Existing.PublicSubnetIDs, "taskSubnetIds": n.Existing.TaskSubnetIDs} {
		for i, id := range ids {
			if !subnetID.MatchString(id) {
				p.add(fmt.Sprintf("network.existing.%s[%d]", key, i), fmt.Sprintf("is %q, which is not a subnet's identifier", id),
					"subnet-0123456789abcdef0")
			}
		}
	}
}

// plainHTTP is the plan's rule for a listener without TLS.
const plainHTTP = "plain-http"

func checkEntrance(c *Config, p *problems) {
	if c.HTTPS == nil && !p.touched("accept") && !slices.ContainsFunc(c.Accept, func(a Acceptance) bool { return a.Rule == plainHTTP }) {
		p.add("https", "is missing, and plain HTTP is refused unless penguinshop:accept says why it is right here",
			`{domain: shop.example.com, certificateArn: "arn:aws:acm:…"}, or accept: [{rule: plain-http, reason: "no domain yet, and test data only"}]`)
	}
	if c.HTTPS != nil {
		if c.HTTPS.Domain != "" && !domainName.MatchString(c.HTTPS.Domain) {
			p.add("https.domain", fmt.Sprintf("is %q, which is not a domain name", c.HTTPS.Domain), "shop.example.com")
		}
		if c.HTTPS.CertificateArn == "" && c.HTTPS.HostedZoneID == "" {
			p.add("https.hostedZoneId", "is missing, and so is certificateArn: one of them is needed", "Z0123456789ABCDEFGHIJ")
		}
		if c.HTTPS.HostedZoneID != "" && !hostedZone.MatchString(c.HTTPS.HostedZoneID) {
			p.add("https.hostedZoneId", fmt.Sprintf("is %q, which is not a hosted zone's identifier", c.HTTPS.HostedZoneID), "Z0123456789ABCDEFGHIJ")
		}
		if c.HTTPS.CertificateArn != "" && !certificate.MatchString(c.HTTPS.CertificateArn) {
			p.add("https.certificateArn", fmt.Sprintf("is %q, which is not the ARN of a certificate in ACM", c.HTTPS.CertificateArn),
				"arn:aws:acm:eu-central-1:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef")
		}
	}
	if len(c.LoadBalancer.IngressCidrs) == 0 {
		p.add("loadBalancer.ingressCidrs", "is empty, so nobody could come in", `["0.0.0.0/0"]`)
	}
	for i, cidr := range c.LoadBalancer.IngressCidrs {
		if network, err := netip.ParsePrefix(cidr); err != nil || !network.Addr().Is4() || network.Masked() != network {
			p.add(fmt.Sprintf("loadBalancer.ingressCidrs[%d]", i), fmt.Sprintf("is %q, which is not an IPv4 network", cidr), "203.0.113.0/24")
		}
	}
}

// sleepingProduction is the plan's rule for a production environment that has no tasks at night.
const sleepingProduction = "sleeping-production"

func checkSleep(c *Config, p *problems) {
	if c.Sleep == nil || p.touched("sleep") {
		return
	}
	_, wrong := c.Sleep.Nights()
	for _, w := range wrong {
		p.add(w.Path, w.What, w.Example)
	}
	if c.Strategy == "rolling" {
		p.add("sleep", "is for environments of the strategy blueGreen: shiftfn is what puts them to sleep, and a rolling one has none",
			"no sleep, or strategy: blueGreen")
	}
	if c.Production && !p.touched("accept") && !slices.ContainsFunc(c.Accept, func(a Acceptance) bool { return a.Rule == sleepingProduction }) {
		p.add("sleep", "would take production away from its users every night, which is refused unless penguinshop:accept says why it is right here",
			`no sleep, or accept: [{rule: sleeping-production, reason: "a shop for office hours alone"}]`)
	}
}

func checkHealth(h HealthCheck, p *problems) {
	if !strings.HasPrefix(h.Path, "/") || len(h.Path) > 1024 {
		p.add("loadBalancer.healthCheck.path", fmt.Sprintf("is %q, which is not a path that begins with a slash", h.Path), "/readyz")
	}
	if !statusRange.MatchString(h.Status) {
		p.add("loadBalancer.healthCheck.status", fmt.Sprintf("is %q, which is not a status, a list or a range of 200 to 499", h.Status),
			"200-299")
	}
	if h.TimeoutSeconds >= h.IntervalSeconds {
		p.add("loadBalancer.healthCheck.timeoutSeconds",
			fmt.Sprintf("is %d, which is not less than the interval of %d", h.TimeoutSeconds, h.IntervalSeconds), "5")
	}
}

func checkService(s Service, p *problems) {
	if err := (components.FargateSize{CPUUnits: s.CPU, MemoryMiB: s.MemoryMiB}).Validate(); err != nil {
		p.add("service.cpu", fmt.Sprintf("is %d with memoryMiB %d: %v", s.CPU, s.MemoryMiB, err), "256 with memoryMiB 512")
	}
	if s.Minimum > s.Maximum {
		p.add("service.maximum", fmt.Sprintf("is %d, which is less than the minimum of %d", s.Maximum, s.Minimum), fmt.Sprint(2*s.Minimum))
	}
	if !imageReference.MatchString(s.PlaceholderImage) {
		p.add("service.placeholderImage", fmt.Sprintf("is %q, which is not an image's name", s.PlaceholderImage),
			"ghcr.io/stefanprodan/podinfo:6.9.1")
	}
	for name, arn := range s.Secrets {
		at := "service.secrets." + name
		switch {
		case !variableName.MatchString(name):
			p.add(at, "is not a name that an environment variable can have", "DATABASE_URL")
		case slices.Contains(ownVariables, name):
			p.add(at, "is set by the program itself: remove it", "")
		case s.Environment[name] != "":
			p.add(at, "stands in environment as well: remove one of them", "")
		case !secretArn.MatchString(arn):
			p.add(at, "is not the ARN of a secret in Secrets Manager or of a parameter in SSM",
				"arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop-a1b2c3")
		}
	}
	for name := range s.Environment {
		switch {
		case !variableName.MatchString(name):
			p.add("service.environment."+name, "is not a name that an environment variable can have", "LOG_LEVEL")
		case slices.Contains(ownVariables, name):
			p.add("service.environment."+name, "is set by the program itself: remove it", "")
		}
	}
}

func checkShared(c *Config, p *problems) {
	if len(c.Environments) == 0 {
		p.add("environments", "is empty; a pipeline delivers to one environment at least", `[{"name": "dev"}]`)
	}
	seen := map[string]int{}
	for i, e := range c.Environments {
		at := fmt.Sprintf("environments[%d]", i)
		lower := strings.ToLower(e.Name)
		switch first, twice := seen[lower]; {
		case e.Name == "":
			continue // fill has said so
		case !stageName.MatchString(e.Name):
			p.add(at+".name", fmt.Sprintf("is %q; a stage's name has letters, digits and . @ _ - only", e.Name), "dev")
		case lower == "source" || lower == "build":
			p.add(at+".name", fmt.Sprintf("is %q, which is the name of another stage", e.Name), "dev")
		case twice:
			p.add(at+".name", fmt.Sprintf("is %q, which environments[%d] has already", e.Name, first), "each environment once")
		}
		if _, twice := seen[lower]; !twice {
			seen[lower] = i
		}
		if e.Stack != "" && !fullStackName.MatchString(e.Stack) {
			p.add(at+".stack", fmt.Sprintf("is %q, which is not organization/project/stack", e.Stack), "acme/penguinshop/dev")
		}
	}
	checkScan(c.Scan, p)
	if !gitHubName.MatchString(c.Source.Repository) {
		p.add("source.repository", fmt.Sprintf("is %q, which is not owner/name", c.Source.Repository), "penguinshop/delivery")
	}
	if c.Source.Branch == "" || strings.ContainsAny(c.Source.Branch, " ~^:?*[\\") {
		p.add("source.branch", fmt.Sprintf("is %q, which is not a branch's name", c.Source.Branch), "main")
	}
	// CodePipeline allows eight patterns for each kind of filter.
	if len(c.Source.Paths) == 0 || len(c.Source.Paths) > 8 {
		p.add("source.paths", fmt.Sprintf("has %d patterns; CodePipeline allows 1 to 8", len(c.Source.Paths)), `["app/**"]`)
	}
	if clean := path.Clean(c.Build.Buildspec); clean != c.Build.Buildspec || strings.HasPrefix(clean, "/") || strings.HasPrefix(clean,
		"..") || clean == "." {
		p.add("build.buildspec", fmt.Sprintf("is %q, which is not a path inside the repository", c.Build.Buildspec), "app/buildspec.yml")
	}
	if !imageReference.MatchString(c.Build.BaseImage) {
		p.add("build.baseImage", fmt.Sprintf("is %q, which is not an image's name", c.Build.BaseImage),
			"public.ecr.aws/docker/library/node:24-slim")
	}
	if c.Build.Image == "" {
		p.add("build.image", "is empty", "aws/codebuild/amazonlinux-aarch64-standard:3.0")
	}
}

// mostReviewers is how many GitHub allows for an environment.
const mostReviewers = 6

func checkGitHub(stack string, c *Config, p *problems) {
	if c.GitHub == nil {
		return
	}
	if url := c.GitHub.StateURL; url != "" && !stateURL.MatchString(url) {
		p.add("github.stateUrl", fmt.Sprintf("is %q, which is not a bucket with a folder or without", url), "s3://acme-pulumi-state")
	}
	if arn := c.GitHub.SecretsKeyArn; arn != "" && !keyArn.MatchString(arn) {
		p.add("github.secretsKeyArn", fmt.Sprintf("is %q, which is not the ARN of a key in KMS", arn),
			"arn:aws:kms:eu-central-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef")
	}
	if arn := c.GitHub.ProviderArn; arn != "" && !gitHubIssuer.MatchString(arn) {
		p.add("github.oidcProviderArn", fmt.Sprintf("is %q, which is not the ARN of GitHub's identity provider", arn),
			"arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com")
	}
	known := []string{stack}
	for _, t := range c.Environments {
		known = append(known, t.stackName())
	}
	for name, arn := range c.GitHub.UpRoles {
		at := "github.upRoles." + name
		switch {
		case !slices.Contains(known, name):
			p.add(at, "is not one of the stacks "+strings.Join(known, ", "), known[0])
		case !roleArn.MatchString(arn):
			p.add(at, fmt.Sprintf("is %q, which is not the ARN of a role", arn), "arn:aws:iam::210987654321:role/prod-up")
		}
	}
	seen := map[string]bool{}
	for i, r := range c.GitHub.Reviewers {
		at := fmt.Sprintf("github.reviewers[%d]", i)
		switch {
		case r.Environment == "": // fill has said so
		case !slices.Contains(known, r.Environment):
			p.add(at+".environment", fmt.Sprintf("is %q, which is not one of the stacks %s", r.Environment, strings.Join(known, ", ")), known[0])
		case seen[r.Environment]:
			p.add(at+".environment", fmt.Sprintf("is %q, which stands above already", r.Environment), "each environment once")
		case len(r.Teams)+len(r.Users) == 0 || len(r.Teams)+len(r.Users) > mostReviewers:
			p.add(at, fmt.Sprintf("has %d reviewers; GitHub allows 1 to %d", len(r.Teams)+len(r.Users), mostReviewers),
				`{"environment": "prod", "users": [1234567]}`)
		}
		seen[r.Environment] = true
	}
}
