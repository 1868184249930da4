// The private addresses of storage, Key Vault and a Premium Service Bus. The relay has none: customers' agents reach it from outside.
// Nor has the function app: a private endpoint on it would keep the deployment out.
param name string
param location string
param tags object
param networkName string
param subnetId string
param hostStorageId string
param storageId string
param vaultId string
param serviceBusId string

var reached = concat(
  [
    {
      name: 'host-blob'
      id: hostStorageId
      part: 'blob'
      zone: 'privatelink.blob.${environment().suffixes.storage}'
    }
    {
      name: 'host-queue'
      id: hostStorageId
      part: 'queue'
      zone: 'privatelink.queue.${environment().suffixes.storage}'
    }
    {
      name: 'data-blob'
      id: storageId
      part: 'blob'
      zone: 'privatelink.blob.${environment().suffixes.storage}'
    }
    {
      name: 'data-table'
      id: storageId
      part: 'table'
      zone: 'privatelink.table.${environment().suffixes.storage}'
    }
    {
      name: 'vault'
      id: vaultId
      part: 'vault'
      zone: 'privatelink.vaultcore.azure.net'
    }
  ],
  empty(serviceBusId)
    ? []
    : [
        {
          name: 'service-bus'
          id: serviceBusId
          part: 'namespace'
          zone: 'privatelink.servicebus.windows.net'
        }
      ]
)
var zoneNames = union(map(reached, one => one.zone), [])

resource network 'Microsoft.Network/virtualNetworks@2023-11-01' existing = {
  name: networkName
}

resource zones 'Microsoft.Network/privateDnsZones@2020-06-01' = [
  for zone in zoneNames: {
    name: zone
    location: 'global'
    tags: tags
  }
]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2020-06-01' = [
  for (zone, index) in zoneNames: {
    parent: zones[index]
    name: networkName
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      virtualNetwork: {
        id: network.id
      }
    }
  }
]

resource endpoints 'Microsoft.Network/privateEndpoints@2023-11-01' = [
  for one in reached: {
    name: 'pe-${one.name}-${name}'
    location: location
    tags: tags
    properties: {
      subnet: {
        id: subnetId
      }
      privateLinkServiceConnections: [
        {
          name: one.name
          properties: {
            privateLinkServiceId: one.id
            groupIds: [
              one.part
            ]
          }
        }
      ]
    }
  }
]

resource names 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2023-11-01' = [
  for (one, index) in reached: {
    parent: endpoints[index]
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        {
          name: one.name
          properties: {
            privateDnsZoneId: resourceId('Microsoft.Network/privateDnsZones', one.zone)
          }
        }
      ]
    }
    dependsOn: [
      zones
    ]
  }
]
