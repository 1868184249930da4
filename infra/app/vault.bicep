// The orchestrator's signing key, which never leaves the vault, and its secrets: credentials of connections, codes, the relay's listen key.
param name string
param location string
param tags object
param principalId string
param assignRoles bool
param isPrivate bool
param recover bool
param relayName string
param listenRuleName string
param workspaceId string

var cryptoUser = '12338af0-0e69-4776-bea7-57ae8d297424'

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    createMode: recover ? 'recover' : 'default'
    enableRbacAuthorization: true
    enableSoftDelete: true
    enablePurgeProtection: true
    softDeleteRetentionInDays: 90
    publicNetworkAccess: isPrivate ? 'Disabled' : 'Enabled'
    networkAcls: {
      defaultAction: isPrivate ? 'Deny' : 'Allow'
      bypass: 'AzureServices'
    }
  }
}

// Made once: a later deployment leaves it and its versions as they are. Rotation: docs/azure.md.
resource signing 'Microsoft.KeyVault/vaults/keys@2023-07-01' = {
  parent: vault
  name: 'sallyport-signing'
  properties: {
    kty: 'EC'
    curveName: 'P-256'
    keyOps: [
      'sign'
      'verify'
    ]
    attributes: {
      enabled: true
      exportable: false
    }
  }
}

resource relay 'Microsoft.Relay/namespaces@2024-01-01' existing = {
  name: relayName
}

resource listenRule 'Microsoft.Relay/namespaces/authorizationRules@2024-01-01' existing = {
  parent: relay
  name: listenRuleName
}

// The app fetches it, so that no setting has a key in it and a renewed one needs no deployment of the app.
resource listen 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = {
  parent: vault
  name: 'relay-listen'
  properties: {
    contentType: 'connection string, Listen only'
    value: listenRule.listKeys().primaryConnectionString
  }
}

resource signerRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (assignRoles) {
  name: guid(signing.id, principalId, cryptoUser)
  scope: signing
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', cryptoUser)
  }
}

// The built-in role that may set secrets may also purge, back up and restore them.
resource secretsKeeper 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (assignRoles) {
  name: guid(resourceGroup().id, 'sallyport-secrets')
  properties: {
    roleName: 'Sallyport secrets (${name})'
    description: 'Reads, sets, deletes and recovers secrets. It cannot purge one: what is deleted can be brought back.'
    type: 'CustomRole'
    permissions: [
      {
        actions: []
        notActions: []
        dataActions: [
          'Microsoft.KeyVault/vaults/secrets/getSecret/action'
          'Microsoft.KeyVault/vaults/secrets/setSecret/action'
          'Microsoft.KeyVault/vaults/secrets/delete'
          'Microsoft.KeyVault/vaults/secrets/recover/action'
          'Microsoft.KeyVault/vaults/secrets/readMetadata/action'
        ]
        notDataActions: []
      }
    ]
    assignableScopes: [
      resourceGroup().id
    ]
  }
}

resource secretsRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (assignRoles) {
  name: guid(vault.id, principalId, secretsKeeper.name)
  scope: vault
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', secretsKeeper.name)
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'sallyport'
  scope: vault
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

output id string = vault.id
output address string = 'https://${vault.name}${environment().suffixes.keyvaultDns}'
output signingAddress string = 'https://${vault.name}${environment().suffixes.keyvaultDns}/keys/${signing.name}'
output listenAddress string = 'https://${vault.name}${environment().suffixes.keyvaultDns}/secrets/${listen.name}'
output grants array = [
  {
    role: cryptoUser
    scope: signing.id
  }
  {
    role: 'Sallyport secrets'
    dataActions: [
      'Microsoft.KeyVault/vaults/secrets/getSecret/action'
      'Microsoft.KeyVault/vaults/secrets/setSecret/action'
      'Microsoft.KeyVault/vaults/secrets/delete'
      'Microsoft.KeyVault/vaults/secrets/recover/action'
      'Microsoft.KeyVault/vaults/secrets/readMetadata/action'
    ]
    scope: vault.id
  }
]
