// What somebody should look at. docs/azure.md says for each what to do.
param name string
param location string
param tags object
param email string
param workspaceId string
param serviceBusId string
param queueNames array

// Application Insights keeps the app's lines in AppTraces, each of them one JSON object with `kind` and `what`. cloud/host.json has it keep
// them all; where somebody turns sampling on, ItemCount says for how many a line stands. Requests are counted as they are: none is what matters.
var queries = [
  {
    name: 'scheduler'
    title: 'Sallyport: the scheduler does not run'
    severity: 1
    // A timer on this plan has been seen to stop for good after a deployment: POST /api/v1/schedule/tick runs the same.
    query: 'AppRequests | where OperationName == "schedule" and Success == true | summarize runs = count() | where runs == 0'
    minutes: 15
  }
  {
    name: 'canaries'
    title: 'Sallyport: agents do not answer their canaries'
    severity: 2
    query: 'AppTraces | where Message has "canary not answered" | extend line = parse_json(Message) | summarize misses = sum(ItemCount) by agent = tostring(line.agent) | where misses >= 2'
    minutes: 15
  }
  {
    name: 'freshness'
    title: 'Sallyport: a pull is stale, or its run failed'
    severity: 2
    query: 'AppTraces | where Message has_any ("sallyport.pull.stale", "sallyport.run.failed") | summarize events = sum(ItemCount) | where events > 0'
    minutes: 15
  }
  {
    name: 'security'
    title: 'Sallyport: a hello, a statement or a journal was not what it should be'
    severity: 1
    query: 'AppTraces | extend line = parse_json(Message) | where line.kind == "alert" | summarize alerts = sum(ItemCount) | where alerts > 0'
    minutes: 5
  }
  {
    name: 'health'
    title: 'Sallyport: a check of its health failed several times'
    severity: 1
    query: 'AppTraces | where Message has "health check failed" | extend line = parse_json(Message) | summarize failures = sum(ItemCount) by code = tostring(line.code) | where failures >= 3'
    minutes: 15
  }
  {
    name: 'start'
    title: 'Sallyport: the app does not start'
    severity: 0
    query: 'AppTraces | where Message has "The function app cannot start" | summarize starts = sum(ItemCount) | where starts > 0'
    minutes: 5
  }
]

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(email)) {
  name: 'people-${name}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'sallyport'
    enabled: true
    emailReceivers: [
      {
        name: 'operations'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

resource deadLetters 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'dead-letters-${name}'
  location: 'global'
  tags: tags
  properties: {
    description: 'Sallyport: a message that nobody could answer'
    severity: 2
    enabled: true
    scopes: [
      serviceBusId
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT5M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          name: 'dead'
          criterionType: 'StaticThresholdCriterion'
          metricNamespace: 'Microsoft.ServiceBus/namespaces'
          metricName: 'DeadletteredMessages'
          dimensions: [
            {
              name: 'EntityName'
              operator: 'Include'
              values: queueNames
            }
          ]
          operator: 'GreaterThan'
          threshold: 0
          timeAggregation: 'Average'
        }
      ]
    }
    actions: empty(email)
      ? []
      : [
          {
            actionGroupId: people.id
          }
        ]
  }
}

resource rules 'Microsoft.Insights/scheduledQueryRules@2022-06-15' = [
  for one in queries: {
    name: '${one.name}-${name}'
    location: location
    tags: tags
    properties: {
      displayName: one.title
      severity: one.severity
      enabled: true
      evaluationFrequency: 'PT5M'
      windowSize: 'PT${one.minutes}M'
      scopes: [
        workspaceId
      ]
      criteria: {
        allOf: [
          {
            query: one.query
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      // Tables are made with their first line: before that a query that names one is no mistake.
      skipQueryValidation: true
      autoMitigate: true
      actions: {
        actionGroups: empty(email)
          ? []
          : [
              people.id
            ]
      }
    }
  }
]
