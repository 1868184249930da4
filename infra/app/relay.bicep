// The relay's namespace. Hybrid connections are not here: the orchestrator makes one for each agent at its enrolment, with
// requiresClientAuthorization (cloud/src/agents/hybrid-connections.ts), and deletes it when the agent is revoked.
param name string
param location string
param tags object
param principalId string
param assignRoles bool
param workspaceId string

var relaySender = '26baccc8-eea7-41f1-98f4-1762cc7f685d'

resource namespace 'Microsoft.Relay/namespaces@2024-01-01' = {
  name: name
  location: location
  tags: tags
  sku: {
    name: 'Standard'
    tier: 'Standard'
  }
}

// The only shared key that the product uses: short listen tokens for single agents are minted from it.
resource listenRule 'Microsoft.Relay/namespaces/authorizationRules@2024-01-01' = {
  parent: namespace
  name: 'listen'
  properties: {
    rights: [
      'Listen'
    ]
  }
}

resource senderRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (assignRoles) {
  name: guid(namespace.id, principalId, relaySender)
  scope: namespace
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', relaySender)
  }
}

// No built-in role makes hybrid connections without also giving the namespace's keys.
resource enroller 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (assignRoles) {
  name: guid(resourceGroup().id, 'sallyport-hybrid-connections')
  properties: {
    roleName: 'Sallyport hybrid connections (${name})'
    description: 'Makes and deletes hybrid connections, and nothing else.'
    type: 'CustomRole'
    permissions: [
      {
        actions: [
          'Microsoft.Relay/namespaces/hybridConnections/read'
          'Microsoft.Relay/namespaces/hybridConnections/write'
          'Microsoft.Relay/namespaces/hybridConnections/delete'
        ]
        notActions: []
      }
    ]
    assignableScopes: [
      resourceGroup().id
    ]
  }
}

resource enrollerRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (assignRoles) {
  name: guid(namespace.id, principalId, enroller.name)
  scope: namespace
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', enroller.name)
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
output name string = namespace.name
output host string = '${namespace.name}.servicebus.windows.net'
output listenRuleName string = listenRule.name
output grants array = [
  {
    role: relaySender
    scope: namespace.id
  }
  {
    role: 'Sallyport hybrid connections'
    actions: [
      'Microsoft.Relay/namespaces/hybridConnections/read'
      'Microsoft.Relay/namespaces/hybridConnections/write'
      'Microsoft.Relay/namespaces/hybridConnections/delete'
    ]
    scope: namespace.id
  }
]
