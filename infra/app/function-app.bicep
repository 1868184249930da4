// The orchestrator: a function app on the Flex Consumption plan (Linux), with its settings.
param name string
param planName string
param location string
param tags object
param nodeVersion string
param instanceMemoryMB int
param maximumInstanceCount int
param origin string
param entraIssuer string
param entraAudience string
param webhookNetworks string
param adminKeySha256 string
param identityId string
param identityClientId string
param subnetId string
param hostStorageName string
param packageContainerUrl string
param tablesEndpoint string
param blobsEndpoint string
param containerName string
param serviceBusHost string
param relayHost string
param relayId string
param listenAddress string
param signingAddress string
param vaultAddress string
param insightsName string

// Set only where there is something to set.
var optional = [
  {
    name: 'SALLYPORT_ORIGIN'
    value: origin
  }
  {
    name: 'SALLYPORT_ENTRA_ISSUER'
    value: entraIssuer
  }
  {
    name: 'SALLYPORT_ENTRA_AUDIENCE'
    value: entraAudience
  }
  {
    name: 'SALLYPORT_WEBHOOK_NETWORKS'
    value: webhookNetworks
  }
]

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource site 'Microsoft.Web/sites@2024-04-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'api' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identityId
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packageContainerUrl
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'node'
        version: nodeVersion
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      appSettings: concat(
        [
          // Of the platform: the host's own storage, the queue's trigger, and which identity our clients use.
          {
            name: 'AzureWebJobsStorage__accountName'
            value: hostStorageName
          }
          {
            name: 'AzureWebJobsStorage__credential'
            value: 'managedidentity'
          }
          {
            name: 'AzureWebJobsStorage__clientId'
            value: identityClientId
          }
          {
            name: 'SALLYPORT_SERVICEBUS__credential'
            value: 'managedidentity'
          }
          {
            name: 'SALLYPORT_SERVICEBUS__clientId'
            value: identityClientId
          }
          {
            name: 'AZURE_CLIENT_ID'
            value: identityClientId
          }
          // Only this one is tried, so that a start asks nobody else for a token.
          {
            name: 'AZURE_TOKEN_CREDENTIALS'
            value: 'ManagedIdentityCredential'
          }
          {
            name: 'APPLICATIONINSIGHTS_CONNECTION_STRING'
            value: insights.properties.ConnectionString
          }
          // Of the host, which holds a whole body before anybody is asked for a key: four times what the API takes.
          {
            name: 'FUNCTIONS_REQUEST_BODY_SIZE_LIMIT'
            value: '1048576'
          }
          // Of Node and the C library: buffers are collected young and given back, so a long result takes no more than a short one.
          {
            name: 'NODE_OPTIONS'
            value: '--max-semi-space-size=4'
          }
          {
            name: 'MALLOC_ARENA_MAX'
            value: '2'
          }
          {
            name: 'MALLOC_MMAP_THRESHOLD_'
            value: '131072'
          }
          // Of the product: cloud/src/settings.ts. The trigger reads the namespace too.
          {
            name: 'SALLYPORT_SERVICEBUS__fullyQualifiedNamespace'
            value: serviceBusHost
          }
          {
            name: 'SALLYPORT_ADMIN_KEY_SHA256'
            value: adminKeySha256
          }
          {
            name: 'SALLYPORT_TABLES'
            value: tablesEndpoint
          }
          {
            name: 'SALLYPORT_BLOBS'
            value: blobsEndpoint
          }
          {
            name: 'SALLYPORT_CONTAINER'
            value: containerName
          }
          {
            name: 'SALLYPORT_RELAY'
            value: relayHost
          }
          {
            name: 'SALLYPORT_RELAY_LISTEN'
            value: listenAddress
          }
          {
            name: 'SALLYPORT_RELAY_RESOURCE'
            value: '${environment().resourceManager}${substring(relayId, 1)}'
          }
          {
            name: 'SALLYPORT_SIGNING_KEY'
            value: signingAddress
          }
          {
            name: 'SALLYPORT_SECRETS'
            value: vaultAddress
          }
        ],
        filter(optional, one => !empty(one.value))
      )
    }
  }
}

resource noPasswordForFtp 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: site
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource noPasswordForDeployment 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: site
  name: 'scm'
  properties: {
    allow: false
  }
}

output name string = site.name
output uri string = 'https://${site.properties.defaultHostName}'
