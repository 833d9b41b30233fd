package graph

import (
	"encoding/json"
	"fmt"
	"strings"
)

// invoke answers a function call of the program (a data source) out of a table. A function that is not in it is an error,
// because any answer would be invented.
func (m *monitor) invoke(token string, args map[string]any, provider string) (map[string]any, error) {
	account, region := m.place(providerURN(provider))
	p := partition(region)
	str := func(name string) string { text, _ := args[name].(string); return text }
	seed := func(what string) string { return m.stack + token + what }
	switch token {
	case "aws:index/getCallerIdentity:getCallerIdentity":
		return map[string]any{
			"accountId": account, "id": account, "userId": "AROA" + characters(account, 17, alphabets["upper"]) + ":sandbox",
			"arn": "arn:" + p + ":sts::" + account + ":assumed-role/sandbox/sandbox",
		}, nil
	case "aws:index/getRegion:getRegion":
		return map[string]any{
			"name": region, "id": region, "endpoint": "ec2." + region + ".amazonaws.com", "description": "Region " + region,
		}, nil
	case "aws:index/getPartition:getPartition":
		suffix := map[bool]string{true: "amazonaws.com.cn", false: "amazonaws.com"}[p == "aws-cn"]
		reverse := map[bool]string{true: "cn.com.amazonaws", false: "com.amazonaws"}[p == "aws-cn"]
		return map[string]any{"partition": p, "id": p, "dnsSuffix": suffix, "reverseDnsPrefix": reverse}, nil
	case "aws:index/getAvailabilityZones:getAvailabilityZones":
		names, ids := []any{}, []any{}
		for i, name := range availabilityZones(region) {
			names, ids = append(names, name), append(ids, fmt.Sprintf("%s-az%d", shortRegion(region), i+1))
		}
		return map[string]any{"names": names, "zoneIds": ids, "id": region, "groupNames": []any{region}}, nil
	case "aws:index/getDefaultTags:getDefaultTags":
		tags := map[string]any{}
		if configured, ok := jsonValue(m.cfg["aws:defaultTags"]).(map[string]any); ok {
			if set, ok := configured["tags"].(map[string]any); ok {
				tags = set
			}
		}
		return map[string]any{"tags": tags, "id": p}, nil
	case "aws:iam/getPolicyDocument:getPolicyDocument":
		document, err := policyDocument(args)
		return map[string]any{"json": document, "minifiedJson": document, "id": characters(document, 10, alphabets["digits"])}, err
	case "aws:iam/getRole:getRole":
		return map[string]any{"id": str("name"), "arn": "arn:" + p + ":iam::" + account + ":role/" + str("name"), "path": "/"}, nil
	case "aws:iam/getPolicy:getPolicy":
		at := str("arn")
		if at == "" {
			at = "arn:" + p + ":iam::" + account + ":policy/" + str("name")
		}
		return map[string]any{"id": at, "arn": at, "name": at[strings.LastIndex(at, "/")+1:], "path": "/"}, nil
	case "aws:iam/getOpenIdConnectProvider:getOpenIdConnectProvider":
		at := str("arn")
		if at == "" {
			at = "arn:" + p + ":iam::" + account + ":oidc-provider/" + strings.TrimPrefix(str("url"), "https://")
		}
		return map[string]any{"id": at, "arn": at, "url": at[strings.Index(at, "/")+1:]}, nil
	case "aws:secretsmanager/getRandomPassword:getRandomPassword":
		length, _ := args["passwordLength"].(float64)
		if length == 0 {
			length = 32
		}
		password := characters(seed("password"), int(length), alphabets["letters"])
		return map[string]any{"randomPassword": password, "id": password}, nil
	case "aws:secretsmanager/getSecret:getSecret":
		at := str("arn")
		if at == "" {
			at = "arn:" + p + ":secretsmanager:" + region + ":" + account + ":secret:" + str("name") + "-" +
				characters(seed(str("name")), 6, alphabets["letters"])
		}
		return map[string]any{"id": at, "arn": at, "name": str("name")}, nil
	case "aws:ssm/getParameter:getParameter":
		name := str("name")
		return map[string]any{
			"id": name, "name": name, "type": "String", "value": publicParameter(name),
			"arn": "arn:" + p + ":ssm:" + region + ":" + account + ":parameter/" + strings.TrimPrefix(name, "/"),
		}, nil
	case "aws:kms/getKey:getKey", "aws:kms/getAlias:getAlias":
		key := circumstances{urn: account + region + str("keyId") + str("name")}.value("uuid", nil)
		at := "arn:" + p + ":kms:" + region + ":" + account + ":key/" + key
		return map[string]any{"id": key, "arn": at, "keyId": key, "targetKeyId": key, "targetKeyArn": at}, nil
	case "aws:ec2/getVpc:getVpc":
		id := str("id")
		if id == "" {
			id = "vpc-" + characters(account+region, 17, alphabets["hex"])
		}
		return map[string]any{
			"id": id, "arn": "arn:" + p + ":ec2:" + region + ":" + account + ":vpc/" + id, "cidrBlock": "10.0.0.0/16",
			"default": args["default"] == true, "ownerId": account,
		}, nil
	case "aws:ec2/getSubnets:getSubnets":
		ids := []any{}
		filters, _ := json.Marshal(args)
		for _, zone := range availabilityZones(region) {
			ids = append(ids, "subnet-"+characters(string(filters)+zone, 17, alphabets["hex"]))
		}
		return map[string]any{"ids": ids, "id": region}, nil
	case "aws:ec2/getSubnet:getSubnet":
		id := str("id")
		zone := availabilityZones(region)[int(characters(id, 1, "012")[0]-'0')]
		return map[string]any{
			"id": id, "arn": "arn:" + p + ":ec2:" + region + ":" + account + ":subnet/" + id, "availabilityZone": zone,
			"vpcId": "vpc-" + characters(account+region, 17, alphabets["hex"]), "cidrBlock": "10.0.0.0/24",
		}, nil
	case "aws:ec2/getManagedPrefixList:getManagedPrefixList", "aws:ec2/getPrefixList:getPrefixList":
		id := "pl-" + characters(region+str("name"), 8, alphabets["hex"])
		return map[string]any{"id": id, "prefixListId": id, "name": str("name")}, nil
	case "aws:route53/getZone:getZone":
		id := str("zoneId")
		if id == "" {
			id = "Z" + characters(str("name"), 20, alphabets["upper"])
		}
		name := str("name")
		if name == "" {
			name = "example.com"
		}
		return map[string]any{
			"id": id, "zoneId": id, "name": name, "arn": "arn:" + p + ":route53:::hostedzone/" + id,
			"privateZone": args["privateZone"] == true,
		}, nil
	case "aws:acm/getCertificate:getCertificate":
		at := "arn:" + p + ":acm:" + region + ":" + account + ":certificate/" +
			circumstances{urn: str("domain")}.value("uuid", nil)
		return map[string]any{"id": at, "arn": at, "domain": str("domain"), "status": "ISSUED"}, nil
	case "aws:ecr/getRepository:getRepository":
		name := str("name")
		return map[string]any{
			"id": name, "name": name, "registryId": account, "arn": "arn:" + p + ":ecr:" + region + ":" + account + ":repository/" + name,
			"repositoryUrl": account + ".dkr.ecr." + region + ".amazonaws.com/" + name,
		}, nil
	case "aws:elb/getServiceAccount:getServiceAccount":
		return map[string]any{"id": "054676820928", "arn": "arn:" + p + ":iam::054676820928:root"}, nil
	default:
		return nil, fmt.Errorf("the function %s has no answer without AWS: add it to sandbox/graph/invoke.go", token)
	}
}

// availabilityZones are the first three zones of a region, which every region with an application load balancer has.
func availabilityZones(region string) []string {
	return []string{region + "a", region + "b", region + "c"}
}

// shortRegion is the form that zone identifiers use: euc1 for eu-central-1.
func shortRegion(region string) string {
	parts := strings.Split(region, "-")
	if len(parts) < 3 {
		return region
	}
	var direction string
	for _, word := range []string{"north", "south", "east", "west", "central"} {
		if strings.Contains(parts[len(parts)-2], word) {
			direction += word[:1]
		}
	}
	return parts[0] + direction + parts[len(parts)-1]
}

// publicParameter stands for the value of a parameter that AWS publishes.
func publicParameter(name string) string {
	if strings.HasPrefix(name, "/aws/service/") {
		return "ami-" + characters(name, 17, alphabets["hex"])
	}
	return "value-of" + strings.ReplaceAll(name, "/", "-")
}

// policyDocument renders the statements as the provider does: single values bare, lists as lists.
func policyDocument(args map[string]any) (string, error) {
	version, _ := args["version"].(string)
	if version == "" {
		version = "2012-10-17"
	}
	statements := []any{}
	list, _ := args["statements"].([]any)
	for _, entry := range list {
		given, _ := entry.(map[string]any)
		statement := map[string]any{"Effect": "Allow"}
		for from, to := range map[string]string{
			"sid": "Sid", "effect": "Effect", "actions": "Action", "notActions": "NotAction", "resources": "Resource", "notResources": "NotResource",
		} {
			if value, ok := given[from]; ok {
				statement[to] = single(value)
			}
		}
		for from, to := range map[string]string{"principals": "Principal", "notPrincipals": "NotPrincipal"} {
			if principals, ok := given[from].([]any); ok {
				statement[to] = principalMap(principals)
			}
		}
		if conditions, ok := given["conditions"].([]any); ok {
			tests := map[string]any{}
			for _, entry := range conditions {
				c, _ := entry.(map[string]any)
				test, ok := tests[fmt.Sprint(c["test"])].(map[string]any)
				if !ok {
					test = map[string]any{}
					tests[fmt.Sprint(c["test"])] = test
				}
				test[fmt.Sprint(c["variable"])] = single(c["values"])
			}
			statement["Condition"] = tests
		}
		statements = append(statements, statement)
	}
	text, err := json.Marshal(map[string]any{"Version": version, "Statement": statements})
	return string(text), err
}

func principalMap(principals []any) any {
	byType := map[string]any{}
	for _, entry := range principals {
		p, _ := entry.(map[string]any)
		if p["type"] == "*" {
			return "*"
		}
		byType[fmt.Sprint(p["type"])] = single(p["identifiers"])
	}
	return byType
}

func single(value any) any {
	if list, ok := value.([]any); ok && len(list) == 1 {
		return list[0]
	}
	return value
}
