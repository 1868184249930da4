// The doorbells' queue. A message holds ids only, and may come twice, late or never.
param name string
param location string
param tags object
param principalId string

var serviceBusDataOwner = '090c5cfd-751d-490a-894a-3ce6f1109419'

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' = {
  name: name
  location: location
  tags: tags
  sku: {
    name: 'Standard'
    tier: 'Standard'
  }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
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
  }
}

// Owner of this queue and no other: with less, the scale controller cannot see how long the queue is.
resource slicesRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(slices.id, principalId, serviceBusDataOwner)
  scope: slices
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', serviceBusDataOwner)
  }
}

output host string = '${namespace.name}.servicebus.windows.net'
