// The doorbells' queues, and the topic of events. A message holds ids only, and may come twice, late or never.
param name string
param location string
param tags object
param principalId string
param assignRoles bool
param sku string
param isPrivate bool
param workspaceId string

var serviceBusDataOwner = '090c5cfd-751d-490a-894a-3ce6f1109419'
var serviceBusDataSender = '69a216fc-b8fb-44d8-bc22-1f3c2cd27a39'

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' = {
  name: name
  location: location
  tags: tags
  sku: {
    name: sku
    tier: sku
  }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
    publicNetworkAccess: isPrivate ? 'Disabled' : 'Enabled'
  }
}

resource slices 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' = {
  parent: namespace
  name: 'slices'
  properties: {
    // A second ring for the same run must not vanish inside a window.
    requiresDuplicateDetection: false
    lockDuration: 'PT1M'
    maxDeliveryCount: 10
    deadLetteringOnMessageExpiration: true
  }
}

// Rings for webhooks, whose receivers may hang: they must not keep runs waiting.
resource deliveries 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' = {
  parent: namespace
  name: 'deliveries'
  properties: {
    requiresDuplicateDetection: false
    lockDuration: 'PT1M'
    maxDeliveryCount: 10
    deadLetteringOnMessageExpiration: true
  }
}

// Who listens makes a subscription; without one an event is dropped, and the run's record still has it.
resource events 'Microsoft.ServiceBus/namespaces/topics@2024-01-01' = {
  parent: namespace
  name: 'events'
  properties: {
    defaultMessageTimeToLive: 'P14D'
    // What is told twice within an hour arrives once; a message's id is its event's.
    requiresDuplicateDetection: true
    duplicateDetectionHistoryTimeWindow: 'PT1H'
  }
}

// Owner of this queue and no other: with less, the scale controller cannot see how long the queue is.
resource slicesRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (assignRoles) {
  name: guid(slices.id, principalId, serviceBusDataOwner)
  scope: slices
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', serviceBusDataOwner)
  }
}

resource deliveriesRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (assignRoles) {
  name: guid(deliveries.id, principalId, serviceBusDataOwner)
  scope: deliveries
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', serviceBusDataOwner)
  }
}

resource eventsRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (assignRoles) {
  name: guid(events.id, principalId, serviceBusDataSender)
  scope: events
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', serviceBusDataSender)
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'sallyport'
  scope: namespace
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        categoryGroup: 'allLogs'
        enabled: true
      }
    ]
  }
}

output id string = namespace.id
output queueNames array = [
  slices.name
  deliveries.name
]
output host string = '${namespace.name}.servicebus.windows.net'
output grants array = [
  {
    role: serviceBusDataOwner
    scope: slices.id
  }
  {
    role: serviceBusDataOwner
    scope: deliveries.id
  }
  {
    role: serviceBusDataSender
    scope: events.id
  }
]
